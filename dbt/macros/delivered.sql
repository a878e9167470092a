{#- The columns that a table has, and [] for a table that was never delivered. Without a connection
    (dbt compile --no-introspect) every table has the columns that are documented. -#}
{% macro delivered_columns(table, documented) %}
  {%- if not execute or not flags.INTROSPECT -%}
    {{ return(documented | map("first") | list) }}
  {%- endif -%}
  {%- set asked = source("csq", table) -%}
  {%- if not adapter.check_schema_exists(asked.database, asked.schema) -%}
    {{ exceptions.raise_compiler_error(
        "there is no schema " ~ asked.schema ~ " in " ~ asked.database ~ ". Run csq sync first, or name it in the variable csq_schema."
    ) }}
  {%- endif -%}
  {%- set relation = load_relation(asked) -%}
  {{ return(adapter.get_columns_in_relation(relation) | map(attribute="name") | list if relation else []) }}
{% endmacro %}


{#- The documented columns of a table, each with its type: null where it was not delivered, and without
    rows where the table was not. `others` takes every further column along, as it is. -#}
{% macro delivered(table, documented, others=false) %}
  {%- set columns = delivered_columns(table, documented) -%}
  {%- set found = {} -%}
  {%- for column in columns -%}
    {%- do found.update({column | lower: column}) -%}
  {%- endfor -%}
select
  {%- for name, type in documented %}
    {% if name in found -%}
      try_cast({{ adapter.quote(found.pop(name)) }} as {{ type }})
    {%- else -%}
      cast(null as {{ type }})
    {%- endif %} as {{ adapter.quote(name) }}
    {%- if not loop.last or (others and found | reject("equalto", "_dump_id") | list) %},{% endif %}
  {%- endfor %}
  {%- if others %}
    {%- for column in found.values() if column != "_dump_id" %}
    {{ adapter.quote(column) }}{% if not loop.last %},{% endif %}
    {%- endfor %}
  {%- endif %}
from
  {%- if columns %} {{ source("csq", table) }}
  {%- else %} (select 1 as nothing) as undelivered
where 1 = 0
  {%- endif %}
{% endmacro %}

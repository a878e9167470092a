{#- No two rows have the same values in `columns`; rows with a null among them are not compared. A table
    that was never delivered passes. -#}
{% test unique_together(model, columns) %}
  {%- if execute and flags.INTROSPECT and not load_relation(model) -%}
select 1 as nothing where 1 = 0
  {%- else -%}
select {{ columns | join(", ") }}, count(*) as occurrences
from {{ model }}
where {{ columns | join(" is not null and ") }} is not null
group by {{ columns | join(", ") }}
having count(*) > 1
  {%- endif -%}
{% endtest %}

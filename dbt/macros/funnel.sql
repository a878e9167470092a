{#- How many users pass through `steps`, in order, within `window_days` of the first one.

    `steps` are mappings: `name`, `event` (the name of an event table), and if wanted `path` (a LIKE
    pattern). A step counts if it is later than the one before. A user may begin any number of times: each
    event carries the latest beginning from which it can be reached, which is the one that leaves most
    of the window. So each step is one pass over the events, however many a user has. -#}
{% macro funnel(events, steps, window_days) %}
with
{%- for step in steps %}
matches_{{ loop.index }} as (
    select user_id, time
    from {{ events }}
    where time is not null
        and event_table_name = '{{ step.event | replace("'", "''") }}'
        {%- if step.path %}
        and path like '{{ step.path | replace("'", "''") }}'
        {%- endif %}
),
  {%- if loop.first %}
reached_1 as (
    select user_id, time, time as begun_at from matches_1
),
  {%- else %}
candidates_{{ loop.index }} as (
    select user_id, time, begun_at, 1 as is_before from reached_{{ loop.index0 }}
    union all
    -- Of one instant they come first: what happens at once is not later.
    select user_id, time, cast(null as {{ dbt.type_timestamp() }}), 0 from matches_{{ loop.index }}
),
carried_{{ loop.index }} as (
    select
        user_id,
        time,
        is_before,
        max(begun_at) over (
            partition by user_id order by time, is_before
            rows between unbounded preceding and current row
        ) as begun_at
    from candidates_{{ loop.index }}
),
reached_{{ loop.index }} as (
    select user_id, time, begun_at
    from carried_{{ loop.index }}
    where is_before = 0
        and time <= {{ dbt.dateadd("day", window_days, "begun_at") }}
),
  {%- endif %}
{%- endfor %}
counted as (
{%- for step in steps %}
    select
        {{ loop.index }} as step_number,
        '{{ step.name | replace("'", "''") }}' as step,
        count(distinct user_id) as users
    from reached_{{ loop.index }}
    {%- if not loop.last %}
    union all
    {%- endif %}
{%- endfor %}
)

select
    step_number,
    step,
    users,
    cast(users as double) / nullif(first_value(users) over (order by step_number), 0) as share_of_first,
    cast(users as double) / nullif(lag(users) over (order by step_number), 0) as share_of_previous
from counted
{% endmacro %}

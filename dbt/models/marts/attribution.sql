with conversions as (
    select user_id, event_id, time as converted_at
    from {{ ref("fct_events") }}
    where event_table_name = '{{ var("conversion_event") }}' and time is not null
),

touches as (
    select
        conversions.user_id,
        conversions.event_id,
        sessions.started_at,
        sessions.source,
        sessions.medium,
        sessions.campaign,
        row_number() over (
            partition by conversions.user_id, conversions.event_id
            order by sessions.started_at, sessions.session_id
        ) as touch_number,
        count(*) over (partition by conversions.user_id, conversions.event_id) as touches
    from conversions
    inner join {{ ref("fct_sessions") }} as sessions
        on conversions.user_id = sessions.user_id
        and sessions.started_at <= conversions.converted_at
),

credited as (
    select
        user_id,
        event_id,
        max(touches) as touches,
        {%- for touch, number in [("first", "1"), ("last", "touches")] %}
        max(case when touch_number = {{ number }} then started_at end) as {{ touch }}_touch_at,
        max(case when touch_number = {{ number }} then source end) as {{ touch }}_source,
        max(case when touch_number = {{ number }} then medium end) as {{ touch }}_medium,
        max(case when touch_number = {{ number }} then campaign end) as {{ touch }}_campaign
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from touches
    group by user_id, event_id
)

select
    conversions.user_id,
    conversions.event_id,
    conversions.converted_at,
    coalesce(credited.touches, 0) as touches,
    credited.first_touch_at,
    credited.first_source,
    credited.first_medium,
    credited.first_campaign,
    credited.last_touch_at,
    credited.last_source,
    credited.last_medium,
    credited.last_campaign
from conversions
left join credited
    on conversions.user_id = credited.user_id and conversions.event_id = credited.event_id

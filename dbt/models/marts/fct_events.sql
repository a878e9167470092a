select
    events.user_id,
    events.event_id,
    events.event_table_name,
    events.session_id,
    events.time,
    cast({{ dbt.date_trunc("day", "events.time") }} as date) as event_date,
    case when events.session_id is not null then
        row_number() over (
            partition by events.user_id, events.session_id
            order by events.time, events.event_id, events.event_table_name
        )
    end as event_number,
    pages.domain,
    pages.path,
    pages.title
from {{ ref("stg_events") }} as events
left join {{ ref("stg_pageviews") }} as pages
    on events.user_id = pages.user_id
    and events.event_id = pages.event_id
    and events.event_table_name = '{{ var("pageviews_table") }}'

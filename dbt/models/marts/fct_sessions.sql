with pages as (
    select
        user_id,
        session_id,
        path,
        row_number() over (partition by user_id, session_id order by event_number) as page_number,
        count(*) over (partition by user_id, session_id) as pageviews
    from {{ ref("fct_events") }}
    where event_table_name = '{{ var("pageviews_table") }}'
),

visited as (
    select
        user_id,
        session_id,
        max(pageviews) as pageviews,
        max(case when page_number = 1 then path end) as entry_page,
        max(case when page_number = pageviews then path end) as exit_page
    from pages
    group by user_id, session_id
),

happened as (
    select user_id, session_id, count(*) as events, min(time) as first_at, max(time) as last_at
    from {{ ref("fct_events") }}
    group by user_id, session_id
),

bounds as (
    select
        sessions.*,
        coalesce(sessions.time, happened.first_at) as started_at,
        case
            when happened.last_at > coalesce(sessions.time, happened.first_at) then happened.last_at
            else coalesce(sessions.time, happened.first_at)
        end as ended_at,
        coalesce(happened.events, 0) as events,
        coalesce(visited.pageviews, 0) as pageviews,
        visited.entry_page,
        visited.exit_page
    from {{ ref("stg_sessions") }} as sessions
    left join happened
        on sessions.user_id = happened.user_id and sessions.session_id = happened.session_id
    left join visited
        on sessions.user_id = visited.user_id and sessions.session_id = visited.session_id
)

select
    user_id,
    session_id,
    started_at,
    ended_at,
    {{ dbt.datediff("started_at", "ended_at", "second") }} as length_seconds,
    events,
    pageviews,
    pageviews = 1 as is_bounced,
    entry_page,
    exit_page,
    landing_page,
    coalesce(
        nullif(utm_source, ''),
        nullif({{ dbt.split_part("referrer", "'/'", 3) }}, ''),
        'direct'
    ) as source,
    utm_medium as medium,
    utm_campaign as campaign,
    referrer,
    library,
    platform,
    device_type,
    browser,
    country
from bounds

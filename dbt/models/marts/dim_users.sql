{%- set measures = [
    "user_id", "first_event_at", "last_event_at", "events", "pageviews", "sessions", "first_source",
    "last_source", "has_profile",
] -%}
{#- Without a connection, and in a unit test, stg_users has no columns to look at. -#}
{%- set found = adapter.get_columns_in_relation(ref("stg_users")) | map(attribute="name") | list
    if execute and flags.INTROSPECT else [] -%}
{%- set profile = found or ["identity", "handle", "email", "joindate", "last_modified"] -%}

with active as (
    select
        user_id,
        min(time) as first_event_at,
        max(time) as last_event_at,
        count(*) as events,
        sum(case when event_table_name = '{{ var("pageviews_table") }}' then 1 else 0 end) as pageviews
    from {{ ref("fct_events") }}
    where user_id is not null
    group by user_id
),

numbered as (
    select
        user_id,
        source,
        row_number() over (partition by user_id order by started_at, session_id) as session_number,
        count(*) over (partition by user_id) as sessions
    from {{ ref("fct_sessions") }}
    where user_id is not null
),

visits as (
    select
        user_id,
        max(sessions) as sessions,
        max(case when session_number = 1 then source end) as first_source,
        max(case when session_number = sessions then source end) as last_source
    from numbered
    group by user_id
),

everyone as (
    select user_id from {{ ref("stg_users") }} where user_id is not null
    union
    select user_id from active
    union
    select user_id from visits
)

select
    everyone.user_id,
    profile.user_id is not null as has_profile,
    active.first_event_at,
    active.last_event_at,
    coalesce(active.events, 0) as events,
    coalesce(active.pageviews, 0) as pageviews,
    coalesce(visits.sessions, 0) as sessions,
    visits.first_source,
    visits.last_source
    {%- for column in profile if column | lower not in measures %},
    profile.{{ adapter.quote(column) }}
    {%- endfor %}
from everyone
left join {{ ref("stg_users") }} as profile on everyone.user_id = profile.user_id
left join active on everyone.user_id = active.user_id
left join visits on everyone.user_id = visits.user_id

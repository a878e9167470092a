with days as (
    select event_date, user_id, min(event_date) over (partition by user_id) as first_date
    from {{ ref("fct_events") }}
    where event_date is not null and user_id is not null
)

select
    event_date,
    count(distinct user_id) as active_users,
    count(distinct case when event_date = first_date then user_id end) as new_users,
    count(*) as events
from days
group by event_date

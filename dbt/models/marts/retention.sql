with active as (
    select distinct user_id, cast({{ dbt.date_trunc("week", "time") }} as date) as week
    from {{ ref("fct_events") }}
    where time is not null and user_id is not null
),

joined as (
    select user_id, min(week) as cohort_week from active group by user_id
),

cohorts as (
    select cohort_week, count(*) as cohort_users from joined group by cohort_week
),

weeks as (
    select distinct week from active
),

returned as (
    select joined.cohort_week, active.week, count(*) as active_users
    from joined
    inner join active on joined.user_id = active.user_id
    group by joined.cohort_week, active.week
)

select
    cohorts.cohort_week,
    {{ dbt.datediff("cohorts.cohort_week", "weeks.week", "week") }} as week_number,
    cohorts.cohort_users,
    coalesce(returned.active_users, 0) as active_users,
    cast(coalesce(returned.active_users, 0) as double) / cohorts.cohort_users as retention
from cohorts
inner join weeks on weeks.week >= cohorts.cohort_week
left join returned
    on cohorts.cohort_week = returned.cohort_week and weeks.week = returned.week

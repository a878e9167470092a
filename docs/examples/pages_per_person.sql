-- How many page views does a person have, before and after visits made before the login count too?
SELECT round(count(*) / count(DISTINCT _raw_user_id), 1) AS before_merging,
       round(count(*) / count(DISTINCT user_id), 1)      AS after_merging
FROM csq.pageviews

{{ funnel(ref("fct_events"), var("funnel_steps"), var("funnel_window_days")) }}

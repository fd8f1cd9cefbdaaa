"""Results as texts: the terminal's report, the JSON document, and what Slack shows. Pure."""

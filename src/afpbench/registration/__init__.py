"""The CT onto the MR: `case` finds the transform of one case and resamples its CT, `elastix` and `external` give the
displacement, `quality` measures it, `table` and `page` show a task's cases side by side."""

"""A release as an HTML page: `counts`, `edges` and `tags` count, `plots` draws, `page` arranges."""

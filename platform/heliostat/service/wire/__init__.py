"""The routes, one module a kind of object; each module's ``router`` is found by the application."""

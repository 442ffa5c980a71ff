"""One file per use case: what is asked, how it becomes a decision, and its route."""

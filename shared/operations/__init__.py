"""What several programs do with a store: upkeep, requests, configuration, schedules, audit."""

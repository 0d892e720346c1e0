"""What every request passes and every answer has: guard, login, headers, problems. No routes."""

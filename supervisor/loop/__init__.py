"""The main loop: take orders, observe, decide by the policy, act. Nothing in here may block."""

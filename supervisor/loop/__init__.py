"""The main loop: take orders, observe, decide (policy), act. Nothing in here may block."""

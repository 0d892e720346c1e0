"""The app with the tests."""

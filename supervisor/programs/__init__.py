"""What a program of `[[programs]]` needs beside its slot: its process, its output, its checks.

Nothing in here may decide anything, or make the main loop wait.
"""

"""What a program of `[[programs]]` needs beside its slot: its process, its output, its checks.

No decision may come in, and nothing that makes the main loop wait.
"""

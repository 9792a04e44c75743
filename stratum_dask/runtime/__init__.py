"""Running a planned batch: schedulers, threads, progress."""

"""What people read of a sweep's results."""

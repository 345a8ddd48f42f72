"""What every room stands on and nothing about billing: database, clock, ids, money, errors, jobs, live news."""

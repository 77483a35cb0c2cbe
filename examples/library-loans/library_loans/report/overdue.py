"""Who is late, and by how much.

Part of the module, and a program of its own that reads the old system's export:

    python3 overdue.py --csv loans-2026.csv --on 2026-11-20
"""

import argparse
import csv
from collections import Counter
from datetime import date


def overdue(rows, on):
    """Rows not returned on the day after they were due, the latest first."""
    late = []
    for row in rows:
        if row["returned_on"]:
            continue
        days = (on - date.fromisoformat(row["due_date"])).days
        if days > 0:
            late.append({**row, "days_late": days})
    return sorted(late, key=lambda row: (-row["days_late"], row["book"]))


def by_week(late):
    """How many loans became due in each ISO week."""
    weeks = Counter(date.fromisoformat(row["due_date"]).isocalendar().week for row in late)
    return dict(sorted(weeks.items()))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", required=True, help="the export")
    parser.add_argument("--on", type=date.fromisoformat, default=date.today(), help="the day to look from")
    options = parser.parse_args(argv)

    with open(options.csv, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    late = overdue(rows, options.on)

    print(f"read {len(rows)} rows from {options.csv}")
    print(f"overdue on {options.on}: {len(late)} of {len(rows)}")
    for row in late:
        print(f"  {row['days_late']:>3} days  {row['book']:<34} {row['member']}")
    weeks = by_week(late)
    if weeks:
        worst = max(weeks, key=weeks.get)
        print(f"week {worst} is the worst: {weeks[worst]} loans")


if __name__ == "__main__":
    main()

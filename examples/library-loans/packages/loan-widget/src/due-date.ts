import type { Loan } from './index.ts';

const DAY = 24 * 60 * 60 * 1000;

/** The day as the borrower's calendar shows it, free of clock changes. */
function dayNumber(date: Date): number {
  return Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / DAY;
}

export function daysLeft(loan: Loan, now: Date): number {
  return Date.parse(`${loan.dueDate}T00:00:00Z`) / DAY - dayNumber(now);
}

// A loan is late from the first full day past its due date.
export function isLate(loan: Loan, now: Date): boolean {
  return loan.returnedOn === null && daysLeft(loan, now) < 0;
}

export function dueLabel(loan: Loan, now: Date): string {
  if (loan.returnedOn !== null) return 'returned';
  const left = daysLeft(loan, now);
  if (left < 0) return `${plural(-left, 'day')} late`;
  return left === 0 ? 'today' : `${plural(left, 'day')} left`;
}

function plural(count: number, word: string): string {
  return count === 1 ? `1 ${word}` : `${count} ${word}s`;
}

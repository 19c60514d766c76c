/* SPDX-License-Identifier: MIT */
/* What the bundles see of the ledger. */
#ifndef LEDGER_H
#define LEDGER_H

/* What all threads share: the balance, in cents. */
extern long balance;

void deposit(long cents);
long balance_in_cents(void);

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer harness of program texts: what is taken for a program is printed as
 * one, and stays one whatever is cut, merged or set. The input's last bytes
 * choose these.
 */
#include "rig/minimize.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* Printed, read and printed again it is the same. */
static void holds(const struct ptext *p)
{
	_free_ char *once = ptext_print(p), *twice = NULL;
	_ptext_ struct ptext again = {};
	unsigned int line;

	must(ptext_parse(once, strlen(once), &again, &line) == 0);
	must(again.n == p->n && again.alone == p->alone);
	twice = ptext_print(&again);
	must(strcmp(once, twice) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t last[4] = { size ? data[size - 1] : 0,
				  size > 1 ? data[size - 2] : 0,
				  size > 2 ? data[size - 3] : 0,
				  size > 3 ? data[size - 4] : 0 };
	_ptext_ struct ptext p = {}, copy = {};
	uint64_t value, is;
	unsigned int line;
	bool count;
	int err;

	/* All of it, with what may come behind a NUL. */
	err = ptext_parse((const char *)data, size, &p, &line);
	must(err == 0 || err == -EINVAL);
	if (err)
		return 0;
	holds(&p);
	ptext_copy(&copy, &p);
	ptext_merge(&copy, last[0] % 8, last[1] % 8, last[2] % NR_ORDERS);
	must(copy.n == p.n);
	holds(&copy);
	ptext_cut_thread(&copy, last[3] % 8 - 1);
	holds(&copy);
	if (!p.n)
		return 0;
	for (size_t k = 0; ptext_number(&p, last[0] % p.n, k, &value, &count);
	     k++) {
		ptext_set_number(&p, last[0] % p.n, k, value / 2 + k);
		must(ptext_number(&p, last[0] % p.n, k, &is, &count));
		must(is == value / 2 + k);
	}
	holds(&p);
	ptext_cut(&p, last[1] % p.n, p.n - last[2] % (p.n - last[1] % p.n));
	holds(&p);
	return 0;
}

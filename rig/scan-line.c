// SPDX-License-Identifier: GPL-2.0-or-later
/* A console line, and what its form says: see scan-internal.h. */
#include "scan-internal.h"

#include <ctype.h>
#include <string.h>

static const struct { const char *lead; enum part part; } part_leads[] = {
	{ "Modules linked in:", PART_MODULES },
	{ "CPU: ", PART_CPU },
	{ "Tainted: ", PART_TAINT },
	{ "Hardware name:", PART_HARDWARE },
	{ "Workqueue: ", PART_WORKQUEUE },
	{ "RIP: ", PART_RIP },
	{ "Code: ", PART_CODE },
	{ "RSP: ", PART_RSP },
	{ "RAX: ", PART_RAX },
	{ "RDX: ", PART_RDX },
	{ "RBP: ", PART_RBP },
	{ "R10: ", PART_R10 },
	{ "R13: ", PART_R13 },
	{ "FS:  ", PART_FS },
	{ "CS:  ", PART_CS },
	{ "CR2: ", PART_CR2 },
	{ "DR0: ", PART_DR0 },
	{ "DR3: ", PART_DR3 },
	{ "PKRU: ", PART_PKRU },
	{ "Call Trace:", PART_TRACE },
	{ "---[ end trace ", PART_END },
};

bool line_starts(const struct line *l, const char *lead)
{
	size_t n = strlen(lead);

	return l->blen >= n && !memcmp(l->body, lead, n);
}

static bool is_func_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.';
}

/* Without the suffixes a compiler adds (.isra.0, .constprop.0, .part.0, .cold):
 * none of them is in the source. */
void take_func(const char *p, size_t len, char *out, size_t size)
{
	size_t n = 0;

	while (n < len && n < size - 1 && is_func_char(p[n]) && p[n] != '.') {
		out[n] = p[n];
		n++;
	}
	out[n] = '\0';
}

/* "name+0xOFF/0xSIZE" at @p: its length, or 0. */
static size_t symbol_at(const char *p, size_t len)
{
	size_t n = 0;

	if (!len || (!isalpha((unsigned char)*p) && *p != '_'))
		return 0;
	while (n < len && n < 512 && is_func_char(p[n]))
		n++;
	return n + 3 < len && !memcmp(p + n, "+0x", 3) ? n : 0;
}

/* A stack frame: " [<addr>] ? func+0x1/0x2 [mod]"; @func is set to NULL where
 * the unwinder was not sure of it. */
static bool is_frame(const struct line *l, const char **func, size_t *flen)
{
	const char *p = l->body, *e = p + l->blen;

	while (p < e && *p == ' ')
		p++;
	if (p == l->body)
		return false;
	if (e - p > 3 && p[0] == '[' && p[1] == '<') {
		const char *q = memchr(p, ']', e - p < 40 ? e - p : 40);

		if (!q)
			return false;
		for (p = q + 1; p < e && *p == ' ';)
			p++;
	}
	*func = p;
	if (e - p > 2 && p[0] == '?' && p[1] == ' ') {
		*func = NULL;
		p += 2;
	}
	*flen = symbol_at(p, e - p);
	return *flen;
}

static bool is_mark(const struct line *l, bool *end)
{
	static const char *const names[] = {
		"TASK", "IRQ", "SOFTIRQ", "NMI", "#DF", "ENTRY_TRAMPOLINE",
		"EOI", "EOE", "#DB", "#MC", "#VC",
	};
	const char *p = l->body, *e = p + l->blen;

	while (p < e && *p == ' ')
		p++;
	if (e - p < 4 || *p++ != '<')
		return false;
	*end = *p == '/';
	p += *end;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t n = strlen(names[i]);

		if ((size_t)(e - p) > n && !memcmp(p, names[i], n) &&
		    p[n] == '>') {
			/* An interrupt's stack goes on with the task's. */
			*end = *end && !i;
			return true;
		}
	}
	return false;
}

void line_frame_func(const struct line *l, char *out, size_t size)
{
	const char *func;
	size_t flen;

	*out = '\0';
	if (is_frame(l, &func, &flen) && func)
		take_func(func, flen, out, size);
}

enum part line_part(const struct line *l)
{
	const char *func;
	size_t flen;
	bool end;

	if (!l->blen)
		return PART_NONE;
	switch (*l->body) {
	case ' ':
		if (is_mark(l, &end))
			return end ? PART_STACK_END : PART_STACK_BEGIN;
		return is_frame(l, &func, &flen) ? PART_FRAME : PART_NONE;
	case '-':
		if (line_starts(l, CUT_HERE))
			return PART_CUT;
		break;
	case 'M': case 'C': case 'T': case 'H': case 'W': case 'R': case 'F':
	case 'D': case 'P':
		break;
	default:
		return PART_NONE;
	}
	for (size_t i = 0; i < ARRAY_SIZE(part_leads); i++)
		if (line_starts(l, part_leads[i].lead))
			return part_leads[i].part;
	return PART_NONE;
}

/* "[   12.345678]" at @p: bytes, or 0. */
static size_t parse_stamp(const char *p, size_t len, double *time)
{
	uint64_t sec = 0, usec = 0;
	size_t i = 1, digits = 0;

	if (len < 10 || *p != '[')
		return 0;
	while (i < len && i < 8 && p[i] == ' ')
		i++;
	for (; i < len && isdigit((unsigned char)p[i]) && digits < 12; i++) {
		sec = sec * 10 + (p[i] - '0');
		digits++;
	}
	if (!digits || i + 8 > len || p[i] != '.')
		return 0;
	for (digits = 0, i++; digits < 6; digits++, i++) {
		if (!isdigit((unsigned char)p[i]))
			return 0;
		usec = usec * 10 + (p[i] - '0');
	}
	if (p[i] != ']')
		return 0;
	*time = sec + usec / 1e6;
	return i + 1;
}

/* "[  T123]", "[    C1]" and what may follow the number: bytes, or 0. */
static size_t parse_caller(const char *p, size_t len, uint64_t *caller)
{
	uint64_t n = 0;
	size_t i = 1, digits = 0;
	char type;

	if (len < 4 || *p != '[')
		return 0;
	while (i < len && i < 12 && p[i] == ' ')
		i++;
	if (i >= len || (p[i] != 'T' && p[i] != 'C'))
		return 0;
	type = p[i++];
	for (; i < len && isdigit((unsigned char)p[i]) && digits < 10; i++) {
		n = n * 10 + (p[i] - '0');
		digits++;
	}
	while (digits && i < len && i < 64 && p[i] != ']')
		i++;
	if (!digits || i >= len || p[i] != ']')
		return 0;
	*caller = n << 8 | type;
	return i + 1;
}

/* "<4>", then time stamp, then caller, then a blank. Returns whether there was
 * a time stamp. */
static bool parse_prefix(struct line *l)
{
	const char *p = l->raw, *e = p + l->len;
	size_t n, stamp;

	l->time = -1;
	l->caller = 0;
	while (p < e && !*p)
		p++;
	if (e - p > 2 && *p == '<' && isdigit((unsigned char)p[1])) {
		n = 2;
		while (n < 4 && p + n < e && isdigit((unsigned char)p[n]))
			n++;
		if (p + n < e && p[n] == '>')
			p += n + 1;
	}
	stamp = parse_stamp(p, e - p, &l->time);
	p += stamp;
	n = parse_caller(p, e - p, &l->caller);
	p += n;
	if ((stamp || n) && p < e && *p == ' ')
		p++;
	l->body = p;
	l->blen = e - p;
	return stamp;
}

/* A line that another writer began: the kernel's part of it, if any. */
static bool parse_torn(struct line *l)
{
	const char *p = l->raw, *e = p + l->len;
	double time;

	while (p < e && (p = memchr(p, '[', e - p))) {
		if (parse_stamp(p, e - p, &time)) {
			l->off += p - l->raw;
			l->raw = p;
			l->len = e - p;
			return parse_prefix(l);
		}
		p++;
	}
	return false;
}

bool line_parse(struct line *l, bool stamped)
{
	return parse_prefix(l) || !stamped || parse_torn(l);
}

/* The kernel's banner says; without one, the first thousand lines do. */
bool console_is_stamped(const char *data, size_t len)
{
	const char *banner = memmem(data, len, "Linux version ", 14);
	const char *p = data, *e = data + len;
	size_t with = 0, lines = 0;

	if (banner) {
		const char *bol = memrchr(data, '\n', banner - data);
		struct line l = {};

		l.raw = bol ? bol + 1 : data;
		l.len = banner + 14 - l.raw;
		if (l.len < 100 && (parse_prefix(&l) || parse_torn(&l)))
			return true;
		if (l.len < 100)
			return false;
	}
	while (p < e && lines < 1000) {
		const char *nl = memchr(p, '\n', e - p);
		struct line l = { .raw = p, .len = (nl ? nl : e) - p };

		if (l.len) {
			with += parse_prefix(&l);
			lines++;
		}
		p = nl ? nl + 1 : e;
	}
	return with * 2 > lines;
}

bool line_owner(const struct line *l, int *cpu, int *pid)
{
	const char *p = l->body, *e = p + l->blen, *q;
	_free_ char *s = NULL;

	/* "WARNING: CPU: 0 PID: 7 at", "CPU: 0 [UID: 0 ]PID: 7 Comm: x" */
	s = xstrndup(p, e - p < 256 ? e - p : 256);
	q = strstr(s, "CPU: ");
	if (q && sscanf(q, "CPU: %d PID: %d", cpu, pid) == 2)
		return true;
	if (q && sscanf(q, "CPU: %d UID: %*u PID: %d", cpu, pid) == 2)
		return true;
	/* "WARNING: fs/dax.c:452 at f+0x86/0xb0, CPU#0: comm/7" */
	q = strstr(s, ", CPU#");
	if (!q || sscanf(q, ", CPU#%d:", cpu) != 1)
		return false;
	q = strrchr(q, '/');
	return q && sscanf(q, "/%d", pid) == 1;
}

void line_rip_func(const struct line *l, char *out, size_t size)
{
	const char *p = l->body + 5, *e = l->body + l->blen, *q;
	size_t n;

	*out = '\0';
	/* Selector 0x33 is user mode; 0x10 is __KERNEL_CS. */
	if (e - p > 5 && !memcmp(p, "0033:", 5))
		return;
	if (e - p > 5 && p[4] == ':')
		p += 5;
	if (e - p > 2 && p[0] == '[' && (q = memchr(p, ']', e - p)))
		for (p = q + 1; p < e && *p == ' ';)
			p++;
	n = symbol_at(p, e - p);
	take_func(p, n, out, size);
}

bool is_register(enum part part)
{
	return part >= PART_RIP && part <= PART_PKRU;
}

bool line_is_rule(const struct line *l)
{
	if (l->blen < 20 || l->blen > 200 || *l->body != '=')
		return false;
	for (size_t i = 0; i < l->blen; i++)
		if (l->body[i] != '=')
			return false;
	return true;
}

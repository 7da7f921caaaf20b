// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer harness of VMCOREINFO: edits of a note that is right, or, when the
 * first byte is odd, a note of the input's bytes.
 */
#include <errno.h>

#include "gmem-fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* Each edit: where, how many bytes to take out, how many follow to put in. */
static void edit(struct buf *b, const uint8_t *data, size_t size)
{
	while (size >= 4 && b->len < 8192) {
		size_t at = (data[0] | data[1] << 8) % (b->len + 1);
		size_t out = data[2] % 32, in = data[3] % 32;
		struct buf next = {};

		data += 4;
		size -= 4;
		if (out > b->len - at)
			out = b->len - at;
		if (in > size)
			in = size;
		buf_add(&next, b->data, at);
		buf_add(&next, data, in);
		buf_add(&next, b->data + at + out, b->len - at - out);
		buf_free(b);
		*b = next;
		data += in;
		size -= in;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct fixture f = { .la57 = size & 1 };
	_free_ char *text = fx_note_text(&f), *why = NULL;
	_buf_ struct buf b = {};
	uint8_t note[4132];
	struct vmcoreinfo v;
	int err;

	if (!size)
		return 0;
	if (data[0] & 1)
		buf_add(&b, data + 1, size - 1);
	else
		buf_add(&b, note, fx_note(text, note));
	if (!(data[0] & 1))
		edit(&b, data + 1, size - 1);
	err = vmcoreinfo_parse(b.data, b.len, &v, &why);
	must(err == 0 || err == -EINVAL);
	must(!err == !why);
	if (err)
		return 0;
	must(GUEST_PAGE % v.section_size == 0 && v.section_size >= 8);
	must(v.section_mem_map + 8 <= v.section_size);
	must(v.section_bits >= 20 && v.section_bits <= 40);
	must(v.tables.root % GUEST_PAGE == 0 && v.page_size > 0);
	must(memchr(v.release, '\0', sizeof(v.release)) != NULL);
	return 0;
}

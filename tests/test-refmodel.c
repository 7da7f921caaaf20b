// SPDX-License-Identifier: GPL-2.0-or-later
/* The refcount models: a measured row is told for what it is, a row without
 * its known references is blind, and what is more than the model's own is
 * counted as GETs and PINs. */
#include "rig/refmodel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

/* A row with the values of a model of the table, as if measured. */
static void row_of(struct ref_row *r, const char *name, bool devdax)
{
	*r = (struct ref_row){ .devdax = devdax };
	for (size_t i = 0; i < nr_refmodels; i++) {
		const struct refmodel *m = &refmodels[i];

		if (strcmp(m->name, name) != 0 || m->devdax != devdax)
			continue;
		for (int s = 0; s < NR_REF_STATES; s++) {
			struct page_view v = { .ref = m->ref[s] };

			/* As a large folio's head, where it is one. */
			if (s == REF_PMD_PIN && v.ref < 1024) {
				v.order = 9;
				v.pincount = 1;
			}

			if (m->ref[s] >= 0)
				assert_true(ref_row_set(r, ref_state_names[s],
							&v));
		}
	}
}

static void each_model_is_itself(void **state)
{
	for (size_t i = 0; i < nr_refmodels; i++) {
		struct ref_row r;
		char *why;

		row_of(&r, refmodels[i].name, refmodels[i].devdax);
		assert_ptr_equal(ref_row_model(&r), &refmodels[i]);
		why = ref_row_blind(&r);
		assert_null(why);
	}
}

static void one_state_off_is_no_model(void **state)
{
	for (int s = 0; s < NR_REF_STATES; s++) {
		struct ref_row r;

		row_of(&r, "C", false);
		r.v[s].ref += 7;
		assert_null(ref_row_model(&r));
	}
}

static void what_was_not_seen_is_not_held_against_it(void **state)
{
	struct ref_row r;

	row_of(&r, "A", false);
	r.seen[REF_SHARED] = r.seen[REF_PMD] = false;
	assert_string_equal(ref_row_model(&r)->name, "A");
}

static void no_known_reference_is_blind(void **state)
{
	struct ref_row r;
	char *why;

	row_of(&r, "A", false);
	r.seen[REF_GET] = r.seen[REF_PMD_GET] = false;
	why = ref_row_blind(&r);
	assert_non_null(why);
	free(why);
	row_of(&r, "A", false);
	r.v[REF_GET].ref = r.v[REF_PTE].ref;
	why = ref_row_blind(&r);
	assert_non_null(strstr(why, "counts 0"));
	free(why);
	row_of(&r, "C", false);
	r.v[REF_PIN].ref = r.v[REF_PTE].ref;
	why = ref_row_blind(&r);
	assert_non_null(strstr(why, "FOLL_PIN"));
	free(why);
	row_of(&r, "C", false);
	r.v[REF_PMD_PIN].pincount = 0;
	why = ref_row_blind(&r);
	assert_non_null(strstr(why, "pincount of 0"));
	free(why);
	/* Device-dax with 2 MiB pages has no more than these. */
	row_of(&r, "A", true);
	for (int s = 0; s < REF_PMD; s++)
		r.seen[s] = false;
	assert_null(ref_row_blind(&r));
	assert_int_equal(ref_row_idle(&r), 1);
	r.v[REF_PMD_GET].ref = 1;
	why = ref_row_blind(&r);
	assert_non_null(strstr(why, "counts 0"));
	free(why);
}

/* A kernel that takes a reference too many is not one that is not seen. */
static void a_count_of_two_is_a_model_of_its_own(void **state)
{
	struct ref_row r;

	row_of(&r, "A", false);
	r.v[REF_GET].ref++;
	assert_null(ref_row_blind(&r));
	assert_null(ref_row_model(&r));
	/* And one that leaks what it truncates does not make that normal. */
	row_of(&r, "C", false);
	r.v[REF_TRUNCATED].ref++;
	assert_int_equal(ref_row_idle(&r), 0);
}

static void extra_is(const struct ref_row *r, struct page_view v, int gets,
		     int pins)
{
	struct ref_extra x = ref_row_extra(r, &v);

	assert_int_equal(x.gets, gets);
	assert_int_equal(x.pins, pins);
}

static void extra_references(void **state)
{
	struct ref_row r;

	row_of(&r, "A", false);
	extra_is(&r, (struct page_view){ .ref = 1 }, 0, 0);
	extra_is(&r, (struct page_view){ .ref = 1, .mapping = 1 }, 0, 0);
	extra_is(&r, (struct page_view){ .ref = 3 }, 2, 0);
	extra_is(&r, (struct page_view){ .ref = 1025 }, 0, 1);
	extra_is(&r, (struct page_view){ .ref = 2050 }, 1, 2);
	extra_is(&r, (struct page_view){ .ref = 0 }, -1, 0);
	row_of(&r, "C", false);
	extra_is(&r, (struct page_view){ .ref = 0 }, 0, 0);
	extra_is(&r, (struct page_view){ .ref = 2, .mapcount = 2 }, 0, 0);
	extra_is(&r, (struct page_view){ .ref = 3, .mapcount = 2 }, 1, 0);
	extra_is(&r, (struct page_view){ .ref = 1026, .mapcount = 2 }, 0, 1);
	extra_is(&r, (struct page_view){ .ref = 1, .mapcount = 2 }, -1, 0);
	/* A large folio counts its pins beside. */
	extra_is(&r, (struct page_view){ .ref = 4, .mapcount = 1, .order = 9,
					 .pincount = 2 }, 1, 2);
	row_of(&r, "B", false);
	extra_is(&r, (struct page_view){ .ref = 1, .mapping = 8 }, 0, 0);
	extra_is(&r, (struct page_view){ .ref = 0, .mapping = 8 }, 0, 0);
	extra_is(&r, (struct page_view){ .ref = 2, .mapping = 8 }, 1, 0);
}

static void json_there_and_back(void **state)
{
	struct json_object *o;
	struct ref_row r, back;

	row_of(&r, "C", true);
	o = ref_row_to_json(&r);
	ref_row_from_json(o, &back);
	assert_memory_equal(&r, &back, sizeof(r));
	json_object_put(o);
	/* A file that was edited. */
	o = json_tokener_parse("{\"mode\":7,\"pte\":[],\"get\":{\"ref\":\"x\"}}");
	ref_row_from_json(o, &back);
	assert_false(back.seen[REF_PTE]);
	json_object_put(o);
}

static void unknown_state(void **state)
{
	struct ref_row r = {};

	assert_false(ref_row_set(&r, "pt", &(struct page_view){}));
	assert_null(ref_row_model(&r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_model_is_itself),
		cmocka_unit_test(one_state_off_is_no_model),
		cmocka_unit_test(what_was_not_seen_is_not_held_against_it),
		cmocka_unit_test(no_known_reference_is_blind),
		cmocka_unit_test(a_count_of_two_is_a_model_of_its_own),
		cmocka_unit_test(extra_references),
		cmocka_unit_test(json_there_and_back),
		cmocka_unit_test(unknown_state),
	};

	return cmocka_run_group_tests_name("refmodel", tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A program as a C file of its own, for a kernel maintainer to read and run:
 * a comment that says what it shows, the helper functions that it uses, and
 * main() as a straight line of system calls. docs/operations.md has the names
 * that operations use in it.
 *
 *   prog-emit-step.c      one step, and the slots it uses
 *   prog-emit-template.c  its own lines
 *   prog-emit-finding.c   the comment at the top
 *   prog-emit-check.c     the check that shows the finding
 *   prog-emit-uses.c      which helpers come along
 *   prog-emit-helpers*.c  the helpers themselves
 *
 * What can be told of the slots before the program is run decides which steps
 * are there: with one thread a step on an empty slot is left out, and the
 * lengths of mappings are known. With several, each step is tried, over and
 * over, in a process of its own each time.
 */
#include "emit-internal.h"

/* The ones with steps; thread 0 takes the '*' steps where there are several. */
static void find_lanes(struct emit *e)
{
	for (size_t i = 0; i < e->p->n; i++)
		if (e->p->v[i].thread >= 0)
			e->lanes[e->p->v[i].thread] = true;
	for (int i = 0; i < MAX_LANES; i++)
		e->nr_lanes += e->lanes[i];
	if (!e->nr_lanes)
		e->nr_lanes = e->lanes[0] = true;
}

static int first_lane(const struct emit *e)
{
	int i = 0;

	while (!e->lanes[i])
		i++;
	return i;
}

/* Data of no step of this program was on the device before it. */
static void emit_soil(struct emit *e)
{
	if (!emit_wants_old_data(e) || strcmp(e->p->fs, "devdax") == 0)
		return;
	emit_uses(e, "soil");
	emit_line(e, "soil();");
}

/* --- threads -------------------------------------------------------------------- */

static void emit_barrier(struct emit *e)
{
	emit_line(e, "pthread_barrier_wait(&all);");
}

static void emit_lane(struct emit *e, int lane)
{
	bool alone = false;
	char line[400];

	fprintf(e->out, "static void *thread%d(void *unused)\n{\n", lane);
	emit_barrier(e);
	for (size_t i = 0; i < e->p->n; i++) {
		const struct step *s = &e->p->v[i];

		/* A run of '*' steps is between two barriers. */
		if ((s->thread < 0) != alone) {
			alone = s->thread < 0;
			if (alone)
				emit_line(e, "/* %s */",
					  step_print(s, line, sizeof(line)));
			emit_barrier(e);
		}
		if (s->thread == lane ||
		    (s->thread < 0 && lane == first_lane(e)))
			emit_step(e, s);
	}
	if (alone)
		emit_barrier(e);
	emit_line(e, "return NULL;");
	fprintf(e->out, "}\n\n");
}

static void emit_threads(struct emit *e)
{
	emit_uses(e, "<pthread.h>");
	e->lets_go = emit_any_obstacle(e);
	fprintf(e->out, "/* All threads stand still between two waits for it. */\n"
			"static pthread_barrier_t all;\n\n");
	for (int i = 0; i < MAX_LANES; i++)
		if (e->lanes[i])
			emit_lane(e, i);
}

static void emit_start(struct emit *e)
{
	emit_line(e, "pthread_t t[%u];\n", e->nr_lanes);
	emit_soil(e);
	emit_line(e, "pthread_barrier_init(&all, NULL, %u);", e->nr_lanes);
	for (int i = 0, n = 0; i < MAX_LANES; i++)
		if (e->lanes[i])
			emit_line(e, "pthread_create(&t[%d], NULL, thread%d, NULL);",
				  n++, i);
	if (e->lets_go) {
		emit_uses(e, "drop join_all");
		emit_line(e, "join_all(t, %u, %d);", e->nr_lanes,
			  e->f.what && strcmp(e->f.what, "spin") == 0 ? 3000 :
								       300);
		return;
	}
	emit_line(e, "for (int i = 0; i < %u; i++)", e->nr_lanes);
	emit_line(e, "\tpthread_join(t[i], NULL);");
}

/* --- main() ----------------------------------------------------------------------- */

/* What is said when no BUG was: where the finding shows. */
static const char *verdict(const struct emit *e)
{
	const char *kind = e->f.kind ? e->f.kind : "";

	if (emit_is_used(e, "bug") || emit_is_used(e, "watchdog"))
		return "puts(\"right\");";
	if (strcmp(kind, "census") == 0)
		return "puts(\"Now look at the struct pages, as rig's census does.\");";
	if (strcmp(kind, "fsck") == 0)
		return "puts(\"Now unmount it, and check the filesystem.\");";
	return "puts(\"Now look at dmesg.\");";
}

static void emit_enter(struct emit *e)
{
	bool devdax = strcmp(e->p->fs, "devdax") == 0;

	emit_uses(e, devdax ? "enter_device" : "enter");
	emit_line(e, "if (argc < 2)");
	emit_line(e, "\terrx(2, \"usage: reproducer %s%s\");",
		  devdax ? "DEVICE" : "DIR",
		  e->rounds ? " [ROUNDS]" : " [--keep]");
	emit_line(e, "if (!realpath(argv[1], dir))");
	emit_line(e, "\terr(2, \"%%s\", argv[1]);");
}

/* What comes behind the step that noticed shows nothing more. */
static void emit_line_of_steps(struct emit *e)
{
	size_t n = e->p->n;

	emit_soil(e);
	if (e->f.has_detail && e->f.step > 0 && (size_t)e->f.step < n)
		n = e->f.step;
	for (size_t i = 0; i < n; i++)
		emit_step(e, &e->p->v[i]);
	emit_end(e);
}

/* Once, in this process. */
static void emit_once(struct emit *e)
{
	fprintf(e->out, "int main(int argc, char **argv)\n{\n\tchar dir[4096];\n\n");
	emit_enter(e);
	emit_line(e, "enter(dir);");
	fputc('\n', e->out);
	emit_line_of_steps(e);
	fputc('\n', e->out);
	emit_line(e, "if (argc < 3 || strcmp(argv[2], \"--keep\") != 0)");
	emit_line(e, "\tleave();");
	if (emit_is_used(e, "bug")) {
		emit_line(e, "if (bug)");
		emit_line(e, "\treturn 1;");
	}
	emit_line(e, "%s", verdict(e));
	emit_line(e, "return 0;");
	fprintf(e->out, "}\n");
}

/* Many times, each in a child: with its end all is closed and unmapped. */
static void emit_rounds(struct emit *e)
{
	if (e->nr_lanes > 1)
		emit_threads(e);
	fprintf(e->out, "static int once(void)\n{\n");
	if (e->p->alone)
		emit_line(e, "if (chdir(folder) < 0)\n\t\terr(2, \"%%s\", folder);");
	if (e->nr_lanes > 1)
		emit_start(e);
	if (e->nr_lanes == 1)
		emit_line_of_steps(e);
	else
		emit_end(e);
	emit_line(e, "return %s;", emit_is_used(e, "bug") ? "bug != 0" : "0");
	fprintf(e->out, "}\n\n"
			"int main(int argc, char **argv)\n{\n"
			"\tint rounds = argc > 2 ? atoi(argv[2]) : 200, status = 0;\n"
			"\tchar dir[4096];\n\n");
	emit_enter(e);
	emit_line(e, "for (int i = 0; i < rounds; i++) {");
	e->indent = 2;
	emit_line(e, "enter(dir);");
	/* Nobody may be in it when it is unmounted. */
	if (e->p->alone)
		emit_line(e, "if (chdir(\"/\") < 0)\n\t\t\terr(2, \"/\");");
	emit_line(e, "if (fork() == 0)");
	emit_line(e, "\texit(once());");
	emit_line(e, "wait(&status);");
	emit_line(e, "leave();");
	emit_line(e, "if (WIFEXITED(status) && WEXITSTATUS(status) == 1)");
	emit_line(e, "\treturn 1;");
	e->indent = 1;
	emit_line(e, "}");
	emit_line(e, "%s", verdict(e));
	emit_line(e, "return 0;");
	fprintf(e->out, "}\n");
}

char *prog_emit(const struct prog *p, struct json_object *finding)
{
	struct emit e = { .p = p, .indent = 1 };
	char *body = NULL, *file = NULL;
	size_t size;

	find_lanes(&e);
	emit_finding_init(&e, finding);
	e.rounds = e.nr_lanes > 1 || e.f.hits < e.f.runs;
	emit_slots_init(&e);
	e.out = open_memstream(&body, &size);
	if (e.rounds)
		emit_rounds(&e);
	else
		emit_once(&e);
	fclose(e.out);
	e.out = open_memstream(&file, &size);
	emit_head(&e);
	emit_helpers(&e, e.out, body);
	fputs(body, e.out);
	fclose(e.out);
	free(body);
	free(e.starts);
	for (unsigned int i = 0; i < e.nr_headers; i++)
		free(e.headers[i]);
	return file;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "minimize.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static struct journal_entry *entry_of(const struct journal *j, const char *hash)
{
	for (size_t i = 0; i < j->n; i++)
		if (strcmp(j->v[i].hash, hash) == 0)
			return &j->v[i];
	return NULL;
}

static void remember(struct journal *j, const char *hash, bool hit,
		     double seconds)
{
	struct journal_entry *e = entry_of(j, hash);

	if (!e) {
		j->v = xrealloc(j->v, (j->n + 1) * sizeof(*j->v));
		e = &j->v[j->n++];
		*e = (struct journal_entry){};
		strcpy(e->hash, hash);
	}
	e->hit = xrealloc(e->hit, (e->n + 1) * sizeof(*e->hit));
	e->hit[e->n++] = hit;
	j->all.runs++;
	j->all.hits += hit;
	j->seconds += seconds;
}

static int take_line(struct journal *j, const char *line)
{
	struct json_object *o = json_tokener_parse(line), *hash, *hit, *t;
	int err = -EINVAL;

	if (json_object_object_get_ex(o, "hash", &hash) &&
	    json_object_object_get_ex(o, "hit", &hit) &&
	    json_object_object_get_ex(o, "seconds", &t) &&
	    json_object_is_type(hit, json_type_boolean) &&
	    json_object_get_string_len(hash) == 16) {
		remember(j, json_object_get_string(hash),
			 json_object_get_boolean(hit),
			 json_object_get_double(t));
		err = 0;
	}
	json_object_put(o);
	return err;
}

/* Every whole line; j->len is where the last one ends. */
static int take_lines(struct journal *j, struct buf *b, const char *what)
{
	char *p = b->data, *nl;

	while (p && (nl = memchr(p, '\n', b->data + b->len - p))) {
		*nl = '\0';
		/* The first one says what for. */
		if (p == b->data && strcmp(p, what) != 0)
			return strstr(p, "\"hash\"") || *p != '{' ? -EINVAL :
								    -EEXIST;
		if (p != b->data && take_line(j, p))
			return -EINVAL;
		p = nl + 1;
		j->len = p - b->data;
	}
	return 0;
}

/* A line at the end, or nothing of it. */
static int append(struct journal *j, const char *line)
{
	_free_ char *text = xstrfmt("%s\n", line);
	int err = write_all(j->fd, text, strlen(text));

	if (!err && fdatasync(j->fd) < 0)
		err = -errno;
	if (!err)
		j->len += strlen(text);
	else if (ftruncate(j->fd, j->len) < 0)
		/* Then the next one to read it does. */
		return err;
	return err;
}

int journal_open(struct journal *j, const char *path, const char *what)
{
	_buf_ struct buf b = {};
	int err;

	j->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (j->fd < 0)
		return -errno;
	if (flock(j->fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	err = read_fd(j->fd, &b);
	if (!err)
		err = take_lines(j, &b, what);
	if (!err && ftruncate(j->fd, j->len) < 0)
		err = -errno;
	return err || j->len ? err : append(j, what);
}

int journal_add(struct journal *j, const char *hash, bool hit, double seconds)
{
	_free_ char *line = xstrfmt("{\"hash\":\"%s\",\"hit\":%s,\"seconds\":%.2f}",
				    hash, hit ? "true" : "false", seconds);
	int err = append(j, line);

	if (!err)
		remember(j, hash, hit, seconds);
	return err;
}

const bool *journal_get(const struct journal *j, const char *hash, size_t *n)
{
	const struct journal_entry *e = entry_of(j, hash);

	*n = e ? e->n : 0;
	return e ? e->hit : NULL;
}

void journal_close(struct journal *j)
{
	for (size_t i = 0; i < j->n; i++)
		free(j->v[i].hit);
	free(j->v);
	cleanup_fd(&j->fd);
	*j = (struct journal)JOURNAL_INIT;
}

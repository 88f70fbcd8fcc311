/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_COMMANDS_H
#define SH_CLI_COMMANDS_H
/* One function and one row of the table in main.c for each subcommand. argv[0] is the subcommand's name.
 * Each returns the exit code of the program. */

enum {
    SH_EXIT_OK = 0,
    SH_EXIT_FAILED = 1,        /* the work failed: a bad input, a full disk; the reason stands on stderr */
    SH_EXIT_USAGE = 2,         /* the command line is wrong; nothing was done */
    SH_EXIT_INTERRUPTED = 130, /* stopped by SIGINT or SIGTERM; nothing half-written is left */
};

int sh_cmd_upscale(int argc, char **argv);
int sh_cmd_stream(int argc, char **argv);
int sh_cmd_probe(int argc, char **argv);
int sh_cmd_quality(int argc, char **argv);
int sh_cmd_compare(int argc, char **argv);
int sh_cmd_check(int argc, char **argv);
int sh_cmd_bench(int argc, char **argv);
int sh_cmd_watch(int argc, char **argv);
int sh_cmd_transcode(int argc, char **argv);
int sh_cmd_serve(int argc, char **argv);
int sh_cmd_share(int argc, char **argv);
int sh_cmd_fsck(int argc, char **argv);
int sh_cmd_scrub(int argc, char **argv);
int sh_cmd_backup(int argc, char **argv);
int sh_cmd_restore(int argc, char **argv);
int sh_cmd_states(int argc, char **argv);
int sh_cmd_agent(int argc, char **argv);
int sh_cmd_mediaconvert_worker(int argc, char **argv); /* child: makes one MediaConvert job's stream */

#endif

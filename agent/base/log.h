/* Logging: one line per message to standard error (svlogd keeps it); notices and worse also to the
 * console, where an operator sees them. */
#ifndef SLICENODE_BASE_LOG_H
#define SLICENODE_BASE_LOG_H

enum log_level {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_NOTICE,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_ERROR
};

/* Names the program in every line; `console_path` may be NULL. Messages below `level` are
 * dropped. */
void log_open(const char *program, enum log_level level, const char *console_path);

/* From here on this program and those that it starts lose lines, and do not wait, when nobody reads
 * the pipe that their log goes to: svlogd stops reading while its file system is full or broken. */
void log_never_waits(void);

/* Writes one line. Control characters in the text are replaced, so that outside data cannot forge
 * lines or drive a terminal. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_notice(...) log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif

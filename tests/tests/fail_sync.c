/* Stands before the C library (LD_PRELOAD) and makes fdatasync fail while the file exists that
   AYNI_FAIL_SYNC names. Every failure adds a byte to that file, so that a retry would be seen. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int fdatasync(int fd)
{
    const char *path = getenv("AYNI_FAIL_SYNC");
    int file = path ? open(path, O_WRONLY | O_APPEND) : -1;
    if (file < 0)
        return (int)syscall(SYS_fdatasync, fd);
    ssize_t written = write(file, "x", 1);
    close(file);
    errno = written == 1 ? EIO : ENOSPC;
    return -1;
}

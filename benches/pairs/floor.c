/* What any program must pay that runs a command: the floor under `dbguard exec`.
 *
 * As it is: starts argv[1] and waits for it. With -DEMPTY: does nothing. With -DBARE (and
 * -nostdlib): does nothing, without a C library, to see what the library's start costs. */
#ifdef BARE
void _start(void) {
    __asm__("mov $60, %eax\n\txor %edi, %edi\n\tsyscall");
}
#elif defined EMPTY
int main(void) { return 0; }
#else
#include <spawn.h>
#include <sys/wait.h>
int main(int count, char **words) {
    extern char **environ;
    pid_t pid;
    int status = 1;
    if (count > 1 && !posix_spawn(&pid, words[1], 0, 0, words + 1, environ))
        waitpid(pid, &status, 0);
    return status != 0;
}
#endif

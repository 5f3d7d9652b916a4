// Ends of threads and processes: leaders first, many waiters, groups, orphans.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <x86intrin.h>
static void *sl(void *a){ for(;;) pause(); }
static void *late(void *a){ usleep(20000); printf("late thread exits\n"); fflush(stdout); syscall(SYS_exit_group,7); return 0;}
static volatile int c[4]; static void h(int s){ c[0]++; }
static void *w(void *a){ for(;;) pause(); }
int main(){
 int st; pid_t p;
 // leader exits first
 if(!(p=fork())){ pthread_t t; pthread_create(&t,0,late,0); syscall(SYS_exit,0);} waitpid(p,&st,0); printf("leader first %x\n",st);
 // process-directed signal, many parked threads
 if(!(p=fork())){ signal(SIGUSR1,h); pthread_t t[4]; for(int i=0;i<4;i++) pthread_create(t+i,0,w,0); usleep(1000); for(int i=0;i<10;i++){kill(getpid(),SIGUSR1); usleep(1000);} _exit(c[0]); } waitpid(p,&st,0); printf("many parked %x\n",st);
 // kill stopped group leader w/ threads
 if(!(p=fork())){ setpgid(0,0); pthread_t t[4]; for(int i=0;i<4;i++) pthread_create(t+i,0,w,0); if(!fork()) pause(); pause(); } usleep(5000); kill(-p,SIGSTOP); waitpid(p,&st,WUNTRACED); printf("stopped %x\n",st); kill(-p,SIGKILL); waitpid(p,&st,0); printf("killed %x\n",st);
 // WNOWAIT, __WCLONE
 if(!(p=fork())) _exit(4); siginfo_t si; waitid(P_PID,p,&si,WEXITED|WNOWAIT); printf("nowait %d\n",si.si_status); waitpid(p,&st,0); printf("%x\n",st);
 p=syscall(SYS_clone,0,0,0,0,0); if(!p) _exit(6); printf("wclone %d ",waitpid(p,&st,__WCLONE)==p); printf("%x\n",st);
 // reparenting
 prctl(PR_SET_CHILD_SUBREAPER,1); if(!(p=fork())){ if(!fork()){usleep(1000);_exit(8);} _exit(0);} waitpid(p,&st,0); p=wait(&st); printf("subreaper %x\n",st);
 return 0; }

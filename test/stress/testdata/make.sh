# make -j8 without a single dependency that would order its jobs.
cat >Makefile <<'MAKE'
jobs := 1 2 3 4 5 6 7 8 9 10 11 12
all: $(jobs)
	@cat order
$(jobs):
	@echo start $@ >>order; wc -l <order >$@; echo end $@ >>order
MAKE
make -j8
cat 1 2 3 4 5 6 7 8 9 10 11 12

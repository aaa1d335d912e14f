# Writes OUTPUT, the commit of the sources as a header, where it has changed. Run at every build.
#   cmake -DSOURCE=dir -DOUTPUT=file [-DCOMMIT=abc1234] -P commit.cmake
# Nothing is known in a tarball, nor where git is missing or does not trust the folder.
cmake_minimum_required(VERSION 3.25)
find_program(GIT git)
if(NOT COMMIT AND GIT AND EXISTS ${SOURCE}/.git)
  execute_process(COMMAND ${GIT} -C ${SOURCE} describe --always --dirty --exclude=* --abbrev=10
                  OUTPUT_VARIABLE COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "#define TERN_COMMIT \"@COMMIT@\"\n" @ONLY)

# image_packer_test(NAME [FILE name.c] [ARGS …] [LABELS …] [ENV VAR=value …] [LIBS …] [NO_SANITIZER])
#
# Builds NAME.c (or FILE) of the current folder against the shared library and runs it with ARGS. A program fails by
# its exit status; 77 means "cannot be tested here" and shows as skipped. Under IMAGE_PACKER_SANITIZE every such
# program runs with AddressSanitizer and UBSan, but those with NO_SANITIZER: the ones that bring a malloc, a stack or a
# process limit of their own. Several tests of one program: give the later ones FILE of the first.
function(image_packer_test name)
  cmake_parse_arguments(T "NO_SANITIZER" "FILE" "ARGS;LABELS;ENV;LIBS" ${ARGN})
  if(T_NO_SANITIZER AND IMAGE_PACKER_SANITIZE)
    return()
  endif()
  if(NOT T_FILE)
    set(T_FILE ${name}.c)
  endif()
  string(MAKE_C_IDENTIFIER c_${T_FILE} program)
  if(NOT TARGET ${program})
    add_executable(${program} ${T_FILE})
    set_target_properties(${program} PROPERTIES C_STANDARD 11 CXX_STANDARD 17)
    target_compile_options(${program} PRIVATE -Wall -Wextra -Werror)
    target_link_libraries(${program} PRIVATE image_packer::image_packer Threads::Threads ${T_LIBS})
  endif()
  add_test(NAME ${name} COMMAND ${program} ${T_ARGS} WORKING_DIRECTORY ${PROJECT_BINARY_DIR}/scratch)
  set_tests_properties(${name} PROPERTIES
    SKIP_RETURN_CODE 77 TIMEOUT 300 LABELS "${T_LABELS}" ENVIRONMENT "${T_ENV}")
endfunction()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/scratch)

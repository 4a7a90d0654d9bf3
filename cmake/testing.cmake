# image_packer_test(NAME [FILE name.c] [ARGS …] [LABELS …] [ENV VAR=value …] [LIBS …] [NO_SANITIZER] [VALGRIND])
#
# Builds NAME.c (or FILE) of the current folder against the shared library and runs it with ARGS. A program fails by
# its exit status; 77 means "cannot be tested here" and shows as skipped. Under IMAGE_PACKER_SANITIZE every such
# program runs with AddressSanitizer and UBSan, but those with NO_SANITIZER: the ones that bring a malloc, a stack or a
# process limit of their own. With VALGRIND it runs once more under memcheck. Several tests of one program: give the later ones FILE of the first.
function(image_packer_test name)
  cmake_parse_arguments(T "NO_SANITIZER;VALGRIND" "FILE" "ARGS;LABELS;ENV;LIBS" ${ARGN})
  if(T_NO_SANITIZER AND IMAGE_PACKER_SANITIZE)
    return()
  endif()
  if(IMAGE_PACKER_SANITIZE)
    list(APPEND T_ENV "LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/c/lsan.supp")
  endif()
  if(NOT T_FILE)
    set(T_FILE ${name}.c)
  endif()
  get_filename_component(stem ${T_FILE} NAME_WE)
  get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  if(T_FILE MATCHES "\\.cpp$")
    string(APPEND stem _cpp)
  endif()
  set(program ${folder}_${stem})
  if(NOT TARGET ${program})
    add_executable(${program} ${T_FILE})
    set_target_properties(${program} PROPERTIES C_STANDARD 11 CXX_STANDARD 17 OUTPUT_NAME ${stem})
    target_compile_options(${program} PRIVATE -Wall -Wextra -Werror -Wno-unused-result)
    target_link_libraries(${program} PRIVATE image_packer::image_packer Threads::Threads ${T_LIBS})
  endif()
  add_test(NAME ${name} COMMAND ${program} ${T_ARGS} WORKING_DIRECTORY ${PROJECT_BINARY_DIR}/scratch)
  set_tests_properties(${name} PROPERTIES
    SKIP_RETURN_CODE 77 TIMEOUT 300 LABELS "${T_LABELS}" ENVIRONMENT "${T_ENV}")
  if(T_VALGRIND AND VALGRIND AND NOT IMAGE_PACKER_SANITIZE)
    add_test(NAME ${name}_valgrind WORKING_DIRECTORY ${PROJECT_BINARY_DIR}/scratch
      COMMAND ${VALGRIND} -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect
              --errors-for-leak-kinds=definite,indirect $<TARGET_FILE:${program}> ${T_ARGS})
    set_tests_properties(${name}_valgrind PROPERTIES TIMEOUT 600 LABELS valgrind ENVIRONMENT "${T_ENV}")
  endif()
endfunction()

# image_packer_script(NAME COMMAND …): a test without a program of ours; not repeated under sanitizers.
function(image_packer_script name)
  if(NOT IMAGE_PACKER_SANITIZE)
    add_test(NAME ${name} COMMAND ${ARGN})
    set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300 LABELS packaging)
  endif()
endfunction()

find_program(VALGRIND valgrind)
if(NOT VALGRIND)
  message(WARNING "no valgrind here: its tests are left out")
endif()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/scratch)

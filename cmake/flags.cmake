# The flags of every target, on one INTERFACE target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)  # with them, illumos defines `sun` as a macro
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_package(Threads REQUIRED)
add_library(moray_router_flags INTERFACE)
target_include_directories(moray_router_flags INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_options(moray_router_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 sees overlaps in std::string's own operator+ that are not there (GCC bug 105651).
  target_compile_options(moray_router_flags INTERFACE -Wno-restrict)
  if(CMAKE_UNITY_BUILD)
    # It is meant for headers, and g++ takes every source of a batch for one.
    target_compile_options(moray_router_flags INTERFACE -Wno-subobject-linkage)
  endif()
endif()
target_compile_definitions(moray_router_flags INTERFACE BOOST_ASIO_NO_DEPRECATED)
target_link_libraries(moray_router_flags INTERFACE Threads::Threads)

# Links in a third of GNU ld's time; the tests install it, nothing else needs it.
find_program(MORAY_ROUTER_LLD ld.lld)
if(MORAY_ROUTER_LLD AND CMAKE_SYSTEM_NAME STREQUAL "Linux")
  target_link_options(moray_router_flags INTERFACE -fuse-ld=lld)
endif()

if(MORAY_ROUTER_SANITIZE)
  target_compile_options(moray_router_flags INTERFACE
    "-fsanitize=${MORAY_ROUTER_SANITIZE}" -fno-sanitize-recover=all)
  target_link_options(moray_router_flags INTERFACE "-fsanitize=${MORAY_ROUTER_SANITIZE}")
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Instrumented, g++ 12 loses track of which alternative a std::variant holds (GCC bug 105562).
    target_compile_options(moray_router_flags INTERFACE -Wno-maybe-uninitialized)
  endif()
  if(MORAY_ROUTER_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ warns of atomic_thread_fence inside shared_ptr and Asio; the fences are theirs.
    target_compile_options(moray_router_flags INTERFACE -Wno-tsan)
  endif()
  if(MORAY_ROUTER_SANITIZE MATCHES "undefined" AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    target_compile_options(moray_router_flags INTERFACE -fno-sanitize=function)
  endif()
endif()
if(CMAKE_SYSTEM_NAME STREQUAL "SunOS")
  target_compile_definitions(moray_router_flags INTERFACE __EXTENSIONS__ _POSIX_PTHREAD_SEMANTICS)
  target_link_libraries(moray_router_flags INTERFACE socket nsl resolv)
endif()

# With CMAKE_UNITY_BUILD, as the presets that are tested have it, so many sources are compiled as
# one: most of a source's time goes to the headers and templates of Asio and nlohmann_json. In
# larger batches the second processor would be without work.
set(CMAKE_UNITY_BUILD_BATCH_SIZE 10)

# moray_router_alone(SOURCES...): each is compiled alone in a unity build too, since a macro or a
# name in its unnamed namespace means something else in another source of the same target.
function(moray_router_alone)
  set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

# moray_router_library(NAME SOURCES... [LINK targets...])
function(moray_router_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC moray_router_flags ${ARG_LINK})
endfunction()

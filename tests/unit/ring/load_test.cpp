// Rings that another process reads.
#include "ring/load.hpp"

#include <unistd.h>

#include <thread>

#include <doctest/doctest.h>

#include "ring/image.hpp"
#include "ring/leveldb_store.hpp"
#include "ring/ring_edit.hpp"
#include "ring/topology.hpp"

using namespace ring;

namespace {

Load shell(const std::string& script) { return load_in_child({"/bin/sh", "-c", script}).load; }

std::string problem_of(const Load& load) {
  try {
    static_cast<void>(load("/where/it/is"));
    return "";
  } catch (const RingError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("image: a ring comes back as it was, with names and data of all kinds") {
  auto ring = create_ring(Algorithm::sha256, 300, {"a", "tcp://b:1", "\xc3\xa9 \"c\""});
  ring = with_data(*ring, VnodeSet::parse("3-5"), "\"ro\"");
  ring = with_data(*ring, VnodeSet::parse("299"), R"({"x":[1,{"y":"\n"}]})");
  const auto back = from_image(to_image(*ring));
  CHECK(back->digest() == ring->digest());
  CHECK(back->version() == ring->version());
  CHECK(back->data_json(Vnode(299)) == ring->data_json(Vnode(299)));
}

TEST_CASE("image: what is cut off, damaged or nothing of the kind is refused") {
  const std::string image = to_image(*create_ring(Algorithm::sha256, 50, {"a", "b"}));
  for (std::size_t cut = 0; cut < image.size(); ++cut)
    CHECK_THROWS_AS(static_cast<void>(from_image(image.substr(0, cut))), std::invalid_argument);
  std::string other = image;
  other.back() = static_cast<char>(other.back() ^ 1);
  other[other.size() - 2] = static_cast<char>(other[other.size() - 2] ^ 1);
  CHECK_THROWS_AS(static_cast<void>(from_image(other)), std::invalid_argument);
  CHECK_THROWS_AS(static_cast<void>(from_image("{}\n")), std::invalid_argument);
}

TEST_CASE("load: what ends the process that reads is an error here") {
  CHECK(
      problem_of(shell("kill -ABRT $$")).find("ring /where/it/is: LevelDB has ended the process") ==
      0);
  CHECK(problem_of(shell("echo assertion >&2; kill -SEGV $$")).find("assertion") !=
        std::string::npos);
  CHECK(problem_of(shell("echo ring $0: no good >&2; exit 1")) == "ring /where/it/is: no good");
  CHECK(problem_of(shell("exit 3")) ==
        "ring /where/it/is: the process that read it has ended with code 3 and said nothing");
  CHECK(problem_of(shell("echo nothing")).find("ring /where/it/is: the image of a ring") == 0);
  CHECK(problem_of(shell("exit 0")) == "ring /where/it/is: the image of a ring is cut off");
  CHECK(problem_of(load_in_child({"/no/such/program"}).load).find("can't be started") !=
        std::string::npos);
}

TEST_CASE("load: an edit reaches the process that does it, whole, on its standard input") {
  const std::string edit(3 << 20, 'e');
  const Load load = shell("echo $0 $1 $(wc -c) >&2; exit 1");
  try {
    static_cast<void>(load.edit("/where/it/is", edit));
    FAIL("it has ended with 1");
  } catch (const RingError& error) {
    CHECK(error.what() == "/where/it/is --edit " + std::to_string(edit.size()));
  }
  CHECK(problem_of(shell("echo $0 $# $(wc -c) >&2; exit 1")) == "/where/it/is 0 0");

  const Load same = shell("cat >&2; exit 1");
  CHECK_THROWS_WITH_AS(static_cast<void>(same.edit("/where/it/is", "{\"a\": \"\xc3\xa9\"}")),
                       "{\"a\": \"\xc3\xa9\"}", RingError);
}

TEST_CASE("load: a process that is killed is not taken for damage") {
  CHECK(problem_of(shell("kill -KILL $$")) ==
        "ring /where/it/is: the process by which it was to be read was killed (signal 9)");
  CHECK_THROWS_WITH_AS(
      static_cast<void>(shell("kill -KILL $$").edit("/where/it/is", "{}")),
      "ring /where/it/is: the process by which it was to be edited was killed (signal 9)",
      RingError);
}

TEST_CASE("load: a process whose parent has gone before it begins edits nothing") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  close(ends[0]);
  bool edited = false;
  CHECK(write_image("/where/it/is", ends[1], [&](const auto&) { edited = true; }) == 1);
  CHECK_FALSE(edited);
  close(ends[1]);
}

TEST_CASE("load: one that is stopped is told so, and its process is ended") {
  const Loader loader = load_in_child({"/bin/sh", "-c", "exec sleep 1000"});
  std::thread stopping([&] { loader.stop(); });
  CHECK(problem_of(loader.load) == "ring /where/it/is: it is not read any more");
  stopping.join();
}

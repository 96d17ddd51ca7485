// What a member of a fleet keeps on its disk.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "ring/durable_file.hpp"
#include "router/member/member_file.hpp"
#include "tests/support/test_data.hpp"

using namespace router;
namespace fs = std::filesystem;

namespace {

fleet::Record record() {
  fleet::Record record;
  record.token = "t1";
  record.phase = fleet::Record::Phase::leased;
  record.base = {3, "aa"};
  record.next = {4, "bb"};
  record.lease = std::chrono::milliseconds(4000);
  return record;
}

}  // namespace

TEST_CASE("member file: what was kept is there for the next process") {
  const test_support::TemporaryDirectory directory;
  const ring::VnodeSet set = ring::VnodeSet::parse("0-4,9");
  const fleet::Membership membership{"m1", "i2", "i1", {3, "aa"}, 17};
  {
    MemberFile file(directory.path());
    CHECK_FALSE(file.membership());
    CHECK_FALSE(file.record());
    CHECK(file.blocks().empty());
    file.keep(membership);
    file.keep(record(), set);
    file.keep(fleet::Blocks{{"b1", "d1", true, "me", "why"}}, {{"d1", set}});
  }
  {
    MemberFile file(directory.path());
    CHECK(file.membership() == membership);
    CHECK(file.record() == record());
    CHECK(file.record_vnodes() == set);
    REQUIRE(file.blocks().size() == 1);
    CHECK(file.sets().at("d1") == set);
    file.keep(std::optional<fleet::Membership>());
    file.keep(std::optional<fleet::Record>(), {});
    file.keep(fleet::Blocks{}, {});
  }
  const MemberFile file(directory.path());
  CHECK_FALSE(file.membership());
  CHECK_FALSE(file.record());
  CHECK(file.record_vnodes().empty());
  CHECK(file.blocks().empty());
}

TEST_CASE("member file: one process at a time, and an end that was not clean is known") {
  const test_support::TemporaryDirectory directory;
  {
    MemberFile file(directory.path());
    CHECK_FALSE(file.ended_uncleanly());
  }
  {
    MemberFile file(directory.path());
    CHECK_FALSE(file.ended_uncleanly());  // it had sent nothing
    file.begins();
    CHECK_THROWS_WITH_AS(MemberFile(directory.path()),
                         doctest::Contains("another router is the fleet's member"),
                         std::runtime_error);
  }
  {
    MemberFile file(directory.path());
    CHECK(file.ended_uncleanly());
    file.ends_cleanly();
  }
  CHECK_FALSE(MemberFile(directory.path()).ended_uncleanly());
}

TEST_CASE("member file: one that is damaged is named, and not taken for none") {
  const test_support::TemporaryDirectory directory;
  { MemberFile(directory.path()).keep(record(), ring::VnodeSet::parse("1")); }
  const fs::path file = directory.path() / "member";
  const std::string good = test_support::read_file(file);
  for (const std::string& bad :
       {std::string(), good.substr(0, good.size() / 2), std::string("[]"),
        std::string(R"({"v":9})"),
        std::string(
            R"({"v":1,"blocks":{"v":1,"blocks":[{"token":"b","vnodes":"d","waits":true}]}})"),
        std::string(R"({"v":1,"record":7})")}) {
    CAPTURE(bad);
    std::ofstream(file) << bad;
    CHECK_THROWS_WITH_AS(MemberFile(directory.path()), doctest::Contains("member file"),
                         std::runtime_error);
  }
  std::ofstream(file) << good;
  CHECK(MemberFile(directory.path()).record() == record());
}

TEST_CASE("member file: what can't be written is not kept") {
  const test_support::TemporaryDirectory directory;
  const fs::path store = directory.path() / "store";
  fs::create_directory(store);
  MemberFile file(store);
  file.keep(record(), ring::VnodeSet::parse("1"));
  fs::rename(store, directory.path() / "away");
  CHECK_THROWS(file.keep(std::optional<fleet::Record>(), {}));
  CHECK(file.record() == record());
  CHECK(file.record_vnodes() == ring::VnodeSet::parse("1"));
  fs::rename(directory.path() / "away", store);
  file.keep(std::optional<fleet::Record>(), {});
  CHECK_FALSE(file.record());
}

// What a bucket's triggers are, and the one that is done natively (spec moray-postgres 9).
#include <doctest/doctest.h>

#include "objects/delete_log.hpp"
#include "objects/trigger.hpp"
#include "tests/unit/objects/values.hpp"

using namespace objects;

namespace {

Triggers triggers(const char* post) { return classify_triggers({}, JsArray{JsValue(post)}); }

std::optional<DeleteLogRow> logged(const char* headers, const char* object) {
  const JsValue all = value(headers);
  if (object == nullptr) return record_delete_log(&all, nullptr, 1700000000123);
  const JsValue next = value(object);
  return record_delete_log(&all, next.object(), 1700000000123);
}

}  // namespace

TEST_CASE("trigger: functions, other expressions, and what does not parse") {
  for (const char* source : {"function (req, cb) { cb(); }", "function named(a) {}",
                             "(a, b) => { b(); }", "a => a", "async function f() {}",
                             "/* why */ function f() { return \"}\"; } // so", "(function () {})"})
    CHECK_MESSAGE(classify_source(source) == Source::function, source);
  for (const char* source : {"5", "'text'", "Math.PI", "[1, 2]", "undefined"})
    CHECK_MESSAGE(classify_source(source) == Source::other, source);
  for (const char* source :
       {"function (", "not a function", "'open", "/* open", "{(})", "hello", "a.b", "f(1)"})
    CHECK_MESSAGE(classify_source(source) == Source::broken, source);
}

TEST_CASE("trigger: only recordDeleteLog is known") {
  CHECK(classify_triggers({}, {}) == Triggers::none);
  CHECK(triggers("function recordDeleteLog(req, cb) { cb(); }") == Triggers::record_delete_log);
  CHECK(triggers("function other(req, cb) { cb(); }") == Triggers::unknown);
  CHECK(classify_triggers(JsArray{JsValue("function recordDeleteLog() {}")}, {}) ==
        Triggers::unknown);  // a pre trigger
}

TEST_CASE("delete log: nothing without previous metadata, or where the object stays") {
  CHECK_FALSE(record_delete_log(nullptr, nullptr, 1));
  CHECK_FALSE(logged("{}", nullptr));
  CHECK_FALSE(logged(R"({"x-muskie-prev-metadata":{"type":"directory"}})", nullptr));
  CHECK_FALSE(logged(R"({"x-muskie-prev-metadata":{"objectId":"a"}})", R"({"objectId":"a"})"));
}

TEST_CASE("delete log: what is overwritten or deleted is recorded") {
  const DeleteLogRow row =
      *logged(R"({"x-muskie-prev-metadata":{"objectId":"a","n":1}})", R"({"objectId":"b"})");
  CHECK(row.bucket == "manta_delete_log");
  CHECK(row.key == "/a/1700000000123");
  CHECK(row.value == R"({"objectId":"a","n":1})");
  CHECK(row.indexed);
  const DeleteLogRow fast = *logged(
      R"({"x-muskie-prev-metadata":{"objectId":"a"},"x-muskie-snaplinks-disabled":true})", nullptr);
  CHECK(fast.bucket == "manta_fastdelete_queue");
  CHECK(fast.key == "a");
  CHECK_FALSE(fast.indexed);
}

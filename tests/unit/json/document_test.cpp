#include "json/document.hpp"

#include <random>
#include <string>

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include "json/tokens.hpp"
#include "tests/unit/json/reference/reference.hpp"

namespace {

/// Equality of a value and nlohmann's DOM of the same text, where objects keep every member in
/// order: what JSON.parse would build is checked by find.
void check_same(json::Value value, const nlohmann::json& expected) {
  std::string scratch;
  switch (value.type()) {
    case json::Type::null: REQUIRE(expected.is_null()); break;
    case json::Type::boolean: REQUIRE(value.is_true() == expected.get<bool>()); break;
    case json::Type::number: REQUIRE(expected.is_number()); break;
    case json::Type::string: REQUIRE(value.string(scratch) == expected.get<std::string>()); break;
    case json::Type::array: {
      REQUIRE(expected.is_array());
      REQUIRE(value.empty() == expected.empty());
      std::size_t count = 0;
      for (const json::Value element : value.elements()) check_same(element, expected.at(count++));
      REQUIRE(count == expected.size());
      break;
    }
    case json::Type::object: {
      REQUIRE(expected.is_object());
      REQUIRE(value.empty() == expected.empty());
      for (const json::Member member : value.members()) {
        const std::string name(member.name.string(scratch));
        REQUIRE(expected.contains(name));
        REQUIRE(member.named(name));
        REQUIRE_FALSE(member.named(name + "x"));
      }
      for (const auto& [name, child] : expected.items()) {
        const auto found = value.find(name);
        REQUIRE(found);
        check_same(*found, child);
      }
      REQUIRE_FALSE(value.find("no such member"));
      break;
    }
  }
}

/// Memory whose last byte is followed by a page that must not be touched.
class GuardedPages {
 public:
  GuardedPages() {
    void* mapped = mmap(nullptr, 2 * page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    REQUIRE(mapped != MAP_FAILED);
    begin_ = static_cast<char*>(mapped);
    REQUIRE(mprotect(begin_ + page_, page_, PROT_NONE) == 0);
  }
  ~GuardedPages() { munmap(begin_, 2 * page_); }
  GuardedPages(const GuardedPages&) = delete;
  GuardedPages& operator=(const GuardedPages&) = delete;

  /// The text, moved to the end of what may be read.
  std::string_view at_the_end(std::string_view text) {
    char* to = begin_ + page_ - text.size();
    text.copy(to, text.size());
    return {to, text.size()};
  }

 private:
  std::size_t page_ = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  char* begin_ = nullptr;
};

}  // namespace

TEST_CASE("parse: no byte behind the text is read") {
  GuardedPages pages;
  json::Document document;
  for (std::size_t size = 1; size < 300; ++size) {
    const std::string digits(size, '7');
    REQUIRE_FALSE(document.parse(pages.at_the_end(digits)));
    REQUIRE(document.root().text() == digits);
    REQUIRE_FALSE(document.parse(pages.at_the_end('"' + digits + '"')));
    REQUIRE_FALSE(document.parse(pages.at_the_end('[' + digits + ']')));
    REQUIRE_FALSE(document.parse(pages.at_the_end(std::string(size, ' ') + "true")));
    for (const std::string ending :
         {"tru", "-", "1.", "1e", "\"\\", "\"\\u", "\"\\u12", "\"", "[", "{"})
      REQUIRE(document.parse(pages.at_the_end(std::string(size, ' ') + ending)));
  }
}

TEST_CASE("text: a value's exact bytes") {
  const std::string text =
      "  { \"a\" : [ 1 , -2.5e3 ] , \"b\":\"x y\"  , \"c\": null , \"d\" :{ } } \n";
  json::Document document;
  REQUIRE_FALSE(document.parse(text));
  const json::Value root = document.root();
  CHECK(root.text() == text.substr(2, text.size() - 4));
  CHECK(root.find("a")->text() == "[ 1 , -2.5e3 ]");
  CHECK((*++root.find("a")->elements().begin()).text() == "-2.5e3");
  CHECK(root.find("b")->text() == "\"x y\"");
  CHECK(root.find("b")->raw_string() == "x y");
  CHECK(root.find("c")->text() == "null");
  CHECK(root.find("d")->text() == "{ }");
  CHECK(root.find("d")->empty());
  CHECK((*root.members().begin()).name.text() == "\"a\"");
}

TEST_CASE("text: views point into the parsed text") {
  const std::string text = R"(["plain","esc\n"])";
  json::Document document;
  REQUIRE_FALSE(document.parse(text));
  std::string scratch = "untouched";
  const json::Value plain = *document.root().elements().begin();
  CHECK(plain.string(scratch).data() == text.data() + 2);
  CHECK(scratch == "untouched");
  const json::Value escaped = *++document.root().elements().begin();
  CHECK(escaped.string(scratch).data() == scratch.data());
  CHECK(escaped.raw_string() == "esc\\n");
  CHECK(scratch == "esc\n");
}

TEST_CASE("find: the last of doubled members wins, names compared after unescaping") {
  json::Document document;
  const std::string text =
      R"({"name":1,"n\u0061me":2,"x":{"name":9},"names":4,"nam":5,"\u006eame":3})";
  REQUIRE_FALSE(document.parse(text));
  CHECK(document.root().find("name")->text() == "3");
  CHECK(document.root().find("nam")->text() == "5");
  CHECK_FALSE(document.root().find("n\\u0061me"));
  CHECK_FALSE(document.root().find(""));
}

TEST_CASE("members and elements: in order, duplicates included, nested ones stepped over") {
  json::Document document;
  const std::string text = R"({"a":[[1,[2]],{"b":[]}],"a":{},"c":[3,{"d":4},"e",[ ]]})";
  REQUIRE_FALSE(document.parse(text));
  std::vector<std::string> seen;
  for (const json::Member member : document.root().members())
    seen.push_back(std::string(member.name.raw_string()) + "=" + std::string(member.value.text()));
  CHECK(seen ==
        std::vector<std::string>{"a=[[1,[2]],{\"b\":[]}]", "a={}", "c=[3,{\"d\":4},\"e\",[ ]]"});
  seen.clear();
  for (const json::Value element : document.root().find("c")->elements())
    seen.emplace_back(element.text());
  CHECK(seen == std::vector<std::string>{"3", "{\"d\":4}", "\"e\"", "[ ]"});
}

TEST_CASE("values: the same as nlohmann_json's, on random texts") {
  std::mt19937 random(7);
  json::Document document;
  for (int round = 0; round < 5000; ++round) {
    const std::string text = json_reference::random_text(random);
    CAPTURE(text);
    REQUIRE_FALSE(document.parse(text));
    check_same(document.root(), nlohmann::json::parse(json_reference::repaired(text)));
  }
}

TEST_CASE("parse: a document is used again, growing, shrinking and after a refusal") {
  json::Document document;
  const std::string small = "[1,2]";
  std::string large = "[";
  for (int i = 0; i < 100000; ++i) large += "{\"a\":[1]},";
  large += "{}]";
  for (int round = 0; round < 3; ++round) {
    REQUIRE_FALSE(document.parse(small));
    CHECK(document.root().text() == small);
    REQUIRE_FALSE(document.parse(large));
    CHECK(document.root().text().size() == large.size());
    REQUIRE(document.parse("[1,2"));
    document.shrink(round == 0 ? 0 : 1 << 20);
  }
}

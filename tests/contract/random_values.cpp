#include "tests/contract/random_values.hpp"

namespace test_support {
namespace {

const char* const kTypes[] = {"string",   "number",   "boolean",   "date",     "ip",
                              "mac",      "subnet",   "uuid",      "numrange", "daterange",
                              "[string]", "[number]", "[boolean]", "[date]",   "[ip]",
                              "[mac]",    "[subnet]"};
const char* const kTexts[] = {"",       "a", "A",   "ab",   "aXb",  "b%", "b_",
                              "c\\\\d", "é", "x y", "null", "ab,c", "zz"};
// What quoting, escaping, folding and counting of characters may go wrong with.
const char* const kOddTexts[] = {"NULL",
                                 "'",
                                 "''; --",
                                 "{}",
                                 "{a,b}",
                                 "\\\"q\\\"",
                                 "\\\\",
                                 "\\n\\t",
                                 "\\u0001",
                                 "(x)",
                                 "*",
                                 "%",
                                 "\\u00df\\u0130\\u0131",
                                 "\\ud83d\\ude00",
                                 "e\\u0301",
                                 " lead",
                                 "trail ",
                                 "$1",
                                 "[1,2]",
                                 "E'\\\\x'"};
const char* const kFilterTexts[] = {"a",  "A",      "ab", "aXb", "b%",
                                    "b_", "c\\5cd", "zz", "x y", "null"};
const char* const kOddFilterTexts[] = {"NULL",
                                       "'",
                                       "''; --",
                                       "{a,b}",
                                       "\"q\"",
                                       "\\5c",
                                       "\\28x\\29",
                                       "\\2a",
                                       "%",
                                       "\xc3\x9f\xc4\xb0\xc4\xb1",
                                       "\xf0\x9f\x98\x80",
                                       " lead",
                                       "trail ",
                                       "$1"};
const char* const kNumbers[] = {"0", "1", "-1", "2.5", "10", "1e3", "12345678901"};
const char* const kOddNumbers[] = {"-0",
                                   "0.1",
                                   "1e21",
                                   "1e-7",
                                   "5e-324",
                                   "1.7976931348623157e308",
                                   "9007199254740991",
                                   "9007199254740993",
                                   "123456789.123456789"};
const char* const kDates[] = {"2020-01-01T00:00:00Z", "2020-01-01T00:00:00.500Z",
                              "2021-06-30T23:59:59Z", "1999-12-31T00:00:00.001Z"};
const char* const kOddDates[] = {"1969-12-31T23:59:59.999Z",  "1970-01-01T00:00:00.000Z",
                                 "0001-01-01T00:00:00.000Z",  "9999-12-31T23:59:59.999Z",
                                 "2016-02-29T12:00:00.000Z",  "2020-01-01",
                                 "2020-01-01T00:00:00+01:00", "not a date"};
const char* const kIps[] = {"10.0.0.1", "10.0.0.2", "192.168.1.1", "::1", "fd00::5"};
const char* const kOddIps[] = {"0.0.0.0",
                               "255.255.255.255",
                               "::",
                               "::ffff:1.2.3.4",
                               "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                               "1.2.3.256"};
const char* const kMacs[] = {"aa:bb:cc:dd:ee:ff", "00-11-22-33-44-55", "001122334456"};
const char* const kOddMacs[] = {"00:00:00:00:00:00", "FF:FF:FF:FF:FF:FF", "aabb.ccdd.eeff",
                                "aa:bb:cc:dd:ee"};
const char* const kSubnets[] = {"10.0.0.0/8", "10.0.0.0/24", "192.168.0.0/16", "fd00::/8"};
const char* const kOddSubnets[] = {"0.0.0.0/0",   "::/0",       "10.1.2.3/32",
                                   "fd00::1/128", "10.0.0.1/8", "10.0.0.0/33"};
const char* const kUuids[] = {"c0ffee00-0000-4000-8000-000000000001",
                              "c0ffee00-0000-4000-8000-000000000002"};
const char* const kOddUuids[] = {"C0FFEE00-0000-4000-8000-000000000001",
                                 "00000000-0000-0000-0000-000000000000",
                                 "ffffffff-ffff-ffff-ffff-ffffffffffff", "c0ffee00"};
const char* const kNumberRanges[] = {"[1,5)", "(0,10]", "[,3]", "[2,)", "[2.5,2.5]"};
const char* const kOddNumberRanges[] = {"[,]", "(,)", "[5,1]", "(1,1)", "[-1e3,1e3]", "[0.1,0.2)"};
const char* const kDateRanges[] = {"[2020-01-01T00:00:00Z,2021-01-01T00:00:00Z)",
                                   "[,2020-06-01T00:00:00Z]", "(2019-01-01T00:00:00Z,]"};

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

}  // namespace

std::string RandomValues::type() { return one_of(kTypes); }

std::string RandomValues::scalar(const std::string& type) {
  const bool odd = dice(10) == 0;
  if (type == "number") {
    const std::string number = odd ? one_of(kOddNumbers) : one_of(kNumbers);
    return dice(8) == 0 ? quoted(number) : number;
  }
  if (type == "boolean") return dice(4) == 0 ? "\"TRUE\"" : dice(2) == 0 ? "true" : "false";
  if (type == "date") return quoted(odd ? one_of(kOddDates) : one_of(kDates));
  if (type == "ip") return quoted(odd ? one_of(kOddIps) : one_of(kIps));
  if (type == "mac") return quoted(odd ? one_of(kOddMacs) : one_of(kMacs));
  if (type == "subnet") return quoted(odd ? one_of(kOddSubnets) : one_of(kSubnets));
  if (type == "uuid") return quoted(odd ? one_of(kOddUuids) : one_of(kUuids));
  if (type == "numrange") return quoted(number_range());
  if (type == "daterange") return quoted(date_range());
  return quoted(odd ? one_of(kOddTexts) : one_of(kTexts));
}

std::string RandomValues::number_range() {
  return dice(10) == 0 ? one_of(kOddNumberRanges) : one_of(kNumberRanges);
}
std::string RandomValues::date_range() { return one_of(kDateRanges); }

std::string RandomValues::value_for(const std::string& type) {
  if (dice(40) == 0) return scalar(element_of(this->type()));  // it may not convert
  if (dice(12) == 0) return "null";
  const std::string element = element_of(type);
  if (!is_array(type)) return scalar(element);
  if (dice(6) == 0) return scalar(element);
  std::string list;
  for (std::size_t i = dice(4); i > 0; --i) list += (list.empty() ? "" : ",") + scalar(element);
  return "[" + list + "]";
}

std::string RandomValues::pattern() {
  return dice(10) == 0 ? one_of(kOddFilterTexts) : one_of(kFilterTexts);
}

std::string RandomValues::in_filter(const std::string& type) {
  const std::string text = type == "string" ? pattern() : scalar(type);
  return text.front() == '"' && text.back() == '"' && text.size() > 1
             ? text.substr(1, text.size() - 2)
             : text;
}

}  // namespace test_support

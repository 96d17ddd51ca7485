#include "tests/contract/random_requests.hpp"

#include <algorithm>

#include "objects/js_value.hpp"

namespace test_support {
namespace {

using backends::Rpc;

const char* const kBuckets[] = {"b1", "b2", "b3"};
const char* const kTypes[] = {"string",   "number",   "boolean",   "date",     "ip",
                              "mac",      "subnet",   "uuid",      "numrange", "daterange",
                              "[string]", "[number]", "[boolean]", "[date]",   "[ip]",
                              "[mac]",    "[subnet]"};
const char* const kTexts[] = {"",       "a", "A",   "ab",   "aXb",  "b%", "b_",
                              "c\\\\d", "é", "x y", "null", "ab,c", "zz"};
const char* const kFilterTexts[] = {"a",  "A",      "ab", "aXb", "b%",
                                    "b_", "c\\5cd", "zz", "x y", "null"};
const char* const kNumbers[] = {"0", "1", "-1", "2.5", "10", "1e3", "12345678901"};
const char* const kDates[] = {"2020-01-01T00:00:00Z", "2020-01-01T00:00:00.500Z",
                              "2021-06-30T23:59:59Z", "1999-12-31T00:00:00.001Z"};
const char* const kIps[] = {"10.0.0.1", "10.0.0.2", "192.168.1.1", "::1", "fd00::5"};
const char* const kMacs[] = {"aa:bb:cc:dd:ee:ff", "00-11-22-33-44-55", "001122334456"};
const char* const kSubnets[] = {"10.0.0.0/8", "10.0.0.0/24", "192.168.0.0/16", "fd00::/8"};
const char* const kUuids[] = {"c0ffee00-0000-4000-8000-000000000001",
                              "c0ffee00-0000-4000-8000-000000000002"};
const char* const kNumberRanges[] = {"[1,5)", "(0,10]", "[,3]", "[2,)", "[2.5,2.5]"};
const char* const kDateRanges[] = {"[2020-01-01T00:00:00Z,2021-01-01T00:00:00Z)",
                                   "[,2020-06-01T00:00:00Z]", "(2019-01-01T00:00:00Z,]"};

std::string quoted(const std::string& text) { return "\"" + text + "\""; }
bool is_array(const std::string& type) { return type.front() == '['; }
std::string element_of(const std::string& type) {
  return is_array(type) ? type.substr(1, type.size() - 2) : type;
}

}  // namespace

std::string RandomRequests::some_key() { return "k" + std::to_string(dice(30)); }

std::string RandomRequests::scalar(const std::string& type) {
  if (type == "number") return dice(8) == 0 ? quoted(one_of(kNumbers)) : one_of(kNumbers);
  if (type == "boolean") return dice(4) == 0 ? "\"TRUE\"" : dice(2) == 0 ? "true" : "false";
  if (type == "date") return quoted(one_of(kDates));
  if (type == "ip") return quoted(one_of(kIps));
  if (type == "mac") return quoted(one_of(kMacs));
  if (type == "subnet") return quoted(one_of(kSubnets));
  if (type == "uuid") return quoted(one_of(kUuids));
  if (type == "numrange") return quoted(one_of(kNumberRanges));
  if (type == "daterange") return quoted(one_of(kDateRanges));
  return quoted(one_of(kTexts));
}

std::string RandomRequests::value_for(const Field& field) {
  if (dice(40) == 0)
    return scalar(element_of(one_of(kTypes)));  // of another type: it may not convert
  if (dice(12) == 0) return "null";
  const std::string element = element_of(field.type);
  if (!is_array(field.type)) return scalar(element);
  if (dice(6) == 0) return scalar(element);
  std::string list;
  for (std::size_t i = dice(4); i > 0; --i) list += (list.empty() ? "" : ",") + scalar(element);
  return "[" + list + "]";
}

std::string RandomRequests::object(const std::string& bucket) {
  std::string members = "\"extra\":" + std::to_string(dice(5));
  for (const Field& field : buckets_[bucket].fields)
    if (dice(3) > 0) members += ",\"" + field.name + "\":" + value_for(field);
  if (dice(2) == 0) members += ",\"vnode\":" + std::to_string(dice(100));
  return "{" + members + "}";
}

RandomRequests::Field RandomRequests::random_field() {
  Field field;
  field.type = one_of(kTypes);
  field.name = "f" + std::to_string(++fields_made_);
  field.unique =
      !is_array(field.type) && (field.type == "string" || field.type == "number") && dice(8) == 0;
  return field;
}

std::string RandomRequests::config(const Bucket& bucket) const {
  std::string index;
  for (const Field& field : bucket.fields)
    index += (index.empty() ? "\"" : ",\"") + field.name + "\":{\"type\":\"" + field.type + "\"" +
             (field.unique ? ",\"unique\":true" : "") + "}";
  return "{\"index\":{" + index + "},\"options\":{\"version\":" + std::to_string(bucket.version) +
         "}}";
}

RandomRequest RandomRequests::make_bucket(const std::string& name) {
  Bucket& bucket = buckets_[name];
  for (int i = 0; i < 8; ++i) bucket.fields.push_back(random_field());
  return {Rpc::create_bucket, "[\"" + name + "\"," + config(bucket) + ",{}]", false, name, ""};
}

RandomRequest RandomRequests::change_bucket(const std::string& name) {
  Bucket& bucket = buckets_[name];
  if (dice(3) == 0) return {Rpc::get_bucket, "[{},\"" + name + "\"]", false, name, ""};
  if (dice(3) > 0)
    return {Rpc::reindex_objects, "[\"" + name + "\",100,{\"no_count\":true}]", false, name, ""};
  ++bucket.version;
  bucket.fields.erase(bucket.fields.begin() +
                      static_cast<std::ptrdiff_t>(dice(bucket.fields.size())));
  bucket.fields.push_back(random_field());
  bucket.fields.back().unique = false;
  return {Rpc::update_bucket, "[\"" + name + "\"," + config(bucket) + ",{}]", false, name, ""};
}

std::string RandomRequests::etag_option(const std::string& bucket, const std::string& key) {
  const std::string known = etags_[bucket + "/" + key];
  switch (dice(6)) {
    case 0: return "\"etag\":null";
    case 1: return "\"etag\":\"DEADBEEF\"";
    case 2: return known.empty() || known[0] == 'u' ? "" : "\"etag\":\"" + known + "\"";
    default: return "";
  }
}

RandomRequest RandomRequests::put(const std::string& name) {
  const std::string key = some_key();
  return {
      Rpc::put_object,
      "[\"" + name + "\",\"" + key + "\"," + object(name) + ",{" + etag_option(name, key) + "}]",
      false, name, key};
}

std::string RandomRequests::filter_value(const std::string& type) {
  const std::string text = type == "string" ? one_of(kFilterTexts) : scalar(type);
  return text.front() == '"' ? text.substr(1, text.size() - 2) : text;
}

std::string RandomRequests::filter(const Bucket& bucket, int depth) {
  if (depth > 0 && dice(3) == 0) {
    const std::size_t kind = dice(3);
    if (kind == 0) return "(!" + filter(bucket, depth - 1) + ")";
    return std::string(kind == 1 ? "(&" : "(|") + filter(bucket, depth - 1) +
           filter(bucket, depth - 1) + ")";
  }
  if (dice(10) == 0) return "(_key=" + some_key() + ")";
  if (dice(20) == 0) return "(extra=" + std::to_string(dice(5)) + ")";
  const Field& field = bucket.fields[dice(bucket.fields.size())];
  const std::string element = element_of(field.type);
  const std::string at = "(" + field.name;
  if (element == "numrange" && dice(2) == 0)
    return at +
           (dice(2) == 0 ? ":overlaps:=" + one_of(kNumberRanges)
                         : ":contains:=" + one_of(kNumbers)) +
           ")";
  if (element == "daterange" && dice(2) == 0)
    return at +
           (dice(2) == 0 ? ":overlaps:=" + one_of(kDateRanges) : ":contains:=" + one_of(kDates)) +
           ")";
  if (element == "subnet" && dice(2) == 0) return at + ":contains:=" + one_of(kIps) + ")";
  if (element == "ip" && dice(2) == 0) return at + ":within:=" + one_of(kSubnets) + ")";
  if (element == "number" && dice(4) == 0) return at + ":within:=" + one_of(kNumberRanges) + ")";
  if (element == "date" && dice(4) == 0) return at + ":within:=" + one_of(kDateRanges) + ")";
  switch (dice(7)) {
    case 0: return at + "=*)";
    case 1: return at + ">=" + filter_value(element) + ")";
    case 2: return at + "<=" + filter_value(element) + ")";
    case 3:
      return field.type == "string" ? at + "=" + one_of(kFilterTexts) + "*" + ")"
                                    : at + "=" + filter_value(element) + ")";
    case 4:
      return field.type == "string" ? at + "=*" + one_of(kFilterTexts) + ")"
                                    : at + "=" + filter_value(element) + ")";
    case 5:
      return field.type == "string" ? at + ":caseIgnoreMatch:=" + one_of(kFilterTexts) + ")"
                                    : at + "=" + filter_value(element) + ")";
    default: return at + "=" + filter_value(element) + ")";
  }
}

/// With a key as the last sort key, so that the order is one.
std::string RandomRequests::selection(const Bucket& bucket, bool ordered) {
  if (!ordered) return "";
  const std::string direction = dice(2) == 0 ? "ASC" : "DESC";
  std::string sort = R"({"attribute":"_key","order":"ASC"})";
  if (dice(3) > 0)
    sort = "{\"attribute\":\"" + bucket.fields[dice(bucket.fields.size())].name +
           "\",\"order\":\"" + direction + "\"}," + sort;
  return "\"sort\":[" + sort + "],\"limit\":" + std::to_string(1 + dice(10)) +
         ",\"offset\":" + std::to_string(dice(4));
}

RandomRequest RandomRequests::find(const std::string& name) {
  const Bucket& bucket = buckets_[name];
  const bool ordered = dice(2) == 0;
  std::string options = selection(bucket, ordered);
  if (dice(4) == 0) options += std::string(options.empty() ? "" : ",") + "\"no_count\":true";
  const std::string text = objects::stringify(objects::JsValue(filter(bucket, 2)));
  return {Rpc::find_objects, "[\"" + name + "\"," + text + ",{" + options + "}]", !ordered, name,
          ""};
}

RandomRequest RandomRequests::change_many(const std::string& name) {
  const Bucket& bucket = buckets_[name];
  const std::string text = objects::stringify(objects::JsValue(filter(bucket, 1)));
  const std::string options = "{" + selection(bucket, true) + "}";
  if (dice(2) == 0)
    return {Rpc::delete_many, "[\"" + name + "\"," + text + "," + options + "]", false, name, ""};
  const Field& field = bucket.fields[dice(bucket.fields.size())];
  return {Rpc::update_objects,
          "[\"" + name + "\",{\"" + field.name + "\":" + value_for(field) + "}," + text + "," +
              options + "]",
          false, name, ""};
}

RandomRequest RandomRequests::batch(const std::string& name) {
  std::string requests;
  for (std::size_t i = 1 + dice(3); i > 0; --i) {
    const std::string key = some_key();
    const std::string etag = etag_option(name, key);
    if (!requests.empty()) requests += ',';
    requests += "{\"bucket\":\"" + name + "\",\"key\":\"" + key + "\",\"options\":{" + etag + "},";
    requests += dice(4) == 0 ? "\"operation\":\"delete\"}" : "\"value\":" + object(name) + "}";
  }
  return {Rpc::batch, "[[" + requests + "],{}]", false, name, ""};
}

RandomRequest RandomRequests::next() {
  const std::string name = one_of(kBuckets);
  if (!buckets_.contains(name)) return make_bucket(name);
  const std::size_t roll = dice(100);
  const std::string key = some_key();
  if (roll < 35) return put(name);
  if (roll < 50)
    return {Rpc::get_object, "[\"" + name + "\",\"" + key + "\",{\"noCache\":true}]", false, name,
            key};
  if (roll < 55)
    return {Rpc::del_object, "[\"" + name + "\",\"" + key + "\",{}]", false, name, key};
  if (roll < 85) return find(name);
  if (roll < 91) return change_many(name);
  if (roll < 98) return batch(name);
  return change_bucket(name);
}

void RandomRequests::learn(const RandomRequest& request, const Answer& answer) {
  if (request.key.empty() || answer.error || answer.values.empty()) return;
  const objects::JsValue* etag =
      answer.values[0].get(request.rpc == Rpc::put_object ? "etag" : "_etag");
  if (etag != nullptr && etag->string() != nullptr)
    etags_[request.bucket + "/" + request.key] = *etag->string();
}

}  // namespace test_support

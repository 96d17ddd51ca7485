#include "tests/contract/random_requests.hpp"

#include <algorithm>

#include "objects/js_value.hpp"

namespace test_support {
namespace {

using backends::Rpc;

const char* const kBuckets[] = {"b1", "b2", "b3"};
/// Members of every object, with what they are compared with. Ids and times differ from store to
/// store.
const char* const kMembers[] = {"_id=*",          "_mtime=*",  "_mtime>=1", "_mtime<=1",
                                "_etag=*",        "_key=*",    "_count=*",  "_txn_snap=*",
                                "_etag=DEADBEEF", "_key>=k15", "_key<=k15", "_key=k1*",
                                "_key=*1",        "_id>=1",    "_vnode=*",  "_vnode>=50"};

}  // namespace

std::string RandomRequests::some_key() { return "k" + std::to_string(dice(30)); }

std::string RandomRequests::object(const std::string& bucket) {
  std::string members = "\"extra\":" + std::to_string(dice(5));
  for (const Field& field : buckets_[bucket].fields)
    if (dice(3) > 0) members += ",\"" + field.name + "\":" + values_.value_for(field.type);
  if (dice(2) == 0) members += ",\"vnode\":" + std::to_string(dice(100));
  return "{" + members + "}";
}

RandomRequests::Field RandomRequests::random_field() {
  Field field;
  field.type = values_.type();
  field.name = "f" + std::to_string(++fields_made_);
  field.unique = !RandomValues::is_array(field.type) &&
                 (field.type == "string" || field.type == "number") && dice(8) == 0;
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

std::string RandomRequests::filter_of_member() {
  if (dice(3) == 0) return "(_key=" + some_key() + ")";
  if (dice(3) == 0) return "(extra=" + std::to_string(dice(5)) + ")";
  return "(" + one_of(kMembers) + ")";
}

std::string RandomRequests::filter(const Bucket& bucket, int depth) {
  if (depth > 0 && dice(3) == 0) {
    const std::size_t kind = dice(3);
    if (kind == 0) {
      const std::size_t times = dice(10) == 0 ? 1 + dice(60) : 1;
      std::string inner = filter(bucket, depth - 1);
      for (std::size_t i = 0; i < times; ++i) inner = "(!" + inner + ")";
      return inner;
    }
    std::string parts;
    for (std::size_t i = dice(10) == 0 ? dice(6) + 1 : 2; i > 0; --i)
      parts += filter(bucket, depth - 1);
    return std::string(kind == 1 ? "(&" : "(|") + parts + ")";
  }
  if (dice(6) == 0) return filter_of_member();
  return filter_of(bucket.fields[dice(bucket.fields.size())]);
}

std::string RandomRequests::filter_of(const Field& field) {
  const std::string element = RandomValues::element_of(field.type);
  const std::string at = "(" + field.name;
  const auto value = [&] { return values_.in_filter(element); };
  if (element == "numrange" && dice(2) == 0)
    return at +
           (dice(2) == 0 ? ":overlaps:=" + values_.number_range()
                         : ":contains:=" + values_.in_filter("number")) +
           ")";
  if (element == "daterange" && dice(2) == 0)
    return at +
           (dice(2) == 0 ? ":overlaps:=" + values_.date_range()
                         : ":contains:=" + values_.in_filter("date")) +
           ")";
  if (element == "subnet" && dice(2) == 0)
    return at + ":contains:=" + values_.in_filter("ip") + ")";
  if (element == "ip" && dice(2) == 0) return at + ":within:=" + values_.in_filter("subnet") + ")";
  if (element == "number" && dice(4) == 0) return at + ":within:=" + values_.number_range() + ")";
  if (element == "date" && dice(4) == 0) return at + ":within:=" + values_.date_range() + ")";
  const bool text = field.type == "string";
  switch (dice(7)) {
    case 0: return at + "=*)";
    case 1: return at + ">=" + value() + ")";
    case 2: return at + "<=" + value() + ")";
    case 3: return at + "=" + (text ? values_.pattern() + "*" : value()) + ")";
    case 4: return at + "=" + (text ? "*" + values_.pattern() : value()) + ")";
    case 5: return at + (text ? ":caseIgnoreMatch:=" + values_.pattern() : "=" + value()) + ")";
    default: return at + "=" + value() + ")";
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
  const std::string text =
      objects::stringify(objects::JsValue(filter(bucket, dice(20) == 0 ? 8 : 2)));
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
          "[\"" + name + "\",{\"" + field.name + "\":" + values_.value_for(field.type) + "}," +
              text + "," + options + "]",
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

std::vector<RandomRequest> RandomRequests::gets() {
  std::vector<RandomRequest> all;
  const std::string name = one_of(kBuckets);
  if (!buckets_.contains(name)) return all;
  for (std::size_t i = 1 + dice(40); i > 0; --i) {
    const std::string key = some_key();
    all.push_back({Rpc::get_object, "[\"" + name + "\",\"" + key + "\",{}]", false, name, key});
  }
  return all;
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

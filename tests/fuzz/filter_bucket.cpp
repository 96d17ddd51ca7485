#include "tests/fuzz/filter_bucket.hpp"

#include <string>
#include <string_view>

#include "backends/postgres/wire/identifier.hpp"
#include "json/document.hpp"
#include "tests/fuzz/require.hpp"

namespace {

constexpr std::int64_t kNow = 1'600'000'000'000;

constexpr const char* kConfiguration = R"json({"index":{
  "s":{"type":"string"},"as":{"type":"[string]"},"n":{"type":"number"},"an":{"type":"[number]"},
  "nr":{"type":"numrange"},"b":{"type":"boolean"},"ab":{"type":"[boolean]"},"d":{"type":"date"},
  "ad":{"type":"[date]"},"dr":{"type":"daterange"},"ip":{"type":"ip"},"aip":{"type":"[ip]"},
  "mac":{"type":"mac"},"amac":{"type":"[mac]"},"net":{"type":"subnet"},"anet":{"type":"[subnet]"},
  "u":{"type":"uuid","unique":true},"Upper_9":{"type":"string","unique":true},
  "new":{"type":"string"},"_a":{"type":"[number]"}},"options":{"version":2}})json";

constexpr const char* kObjects[] = {
    R"json({})json",
    R"json({"s":null,"as":null,"n":null,"an":null,"free":null})json",
    R"json({"s":"","as":[],"n":0,"an":[],"nr":"[,]","b":false,"ab":[],"ad":[],"dr":"[,]","aip":[],
        "amac":[],"anet":[],"free":"","new":"","_a":[]})json",
    R"json({"s":"a","as":["a"],"n":1,"an":[1],"nr":"[1,5)","b":true,"ab":[true],
        "d":"2020-01-02T03:04:05.678Z","ad":["2020-01-02T03:04:05Z"],
        "dr":"[2020-01-01T00:00:00Z,2021-01-01T00:00:00Z)","ip":"10.0.0.1","aip":["10.0.0.1"],
        "mac":"aa:bb:cc:dd:ee:ff","amac":["aa:bb:cc:dd:ee:ff"],"net":"10.0.0.0/8",
        "anet":["10.0.0.0/8"],"u":"c0ffee00-0000-4000-8000-000000000001","Upper_9":"A","new":"a",
        "_a":[1],"free":"a","vnode":1})json",
    R"json({"s":"aXb%_\\","as":["a,b","\"","{}","\\"," ","NULL",null],"n":-1.5,"an":[1,null,-1.5],
        "nr":"(1,5]","ab":[true,false,null],"d":"1969-12-31T23:59:59.999Z",
        "ad":[null,"1970-01-01T00:00:00Z"],"dr":"(2020-01-01T00:00:00Z,2021-01-01T00:00:00Z]",
        "ip":"::1","aip":["::1",null,"0.0.0.0"],"amac":[null,"00:00:00:00:00:00"],
        "net":"10.0.0.0/24","anet":[null,"0.0.0.0/0"],"Upper_9":"a","new":"b","_a":[null]})json",
    R"json({"s":"\u00e9\u00c9\u0130\ud83d\ude00","as":["\u00e9","B","b"],"n":1e308,"an":[1e21,-1e21],
        "nr":"[1.50,1.5]","d":"0000-01-01T00:00:00Z","dr":"(,2020-01-01T00:00:00Z)",
        "ip":"::ffff:1.2.3.4","aip":["::ffff:1.2.3.4"],"mac":0,"net":"::/0",
        "anet":["fd00::/8","10.0.0.1/32"],"free":{"a":[1]},"Upper_9":"\u00e9"})json",
    R"json({"s":"line\nfeed\ttab\u0001","as":["line\nfeed"],"n":5e-324,"an":[5e-324],"nr":"[2,2)",
        "d":"9999-12-31T23:59:59.999Z","ad":["9999-12-31T23:59:59.999Z","0000-01-01T00:00:00Z"],
        "dr":"[9999-12-31T23:59:59.999Z,)","ip":4294967295,"mac":281474976710655,
        "net":"255.255.255.255/32","u":"00000000-0000-0000-0000-000000000000",
        "free":[1,"a",null]})json",
    R"json({"s":"abcabc","n":"Infinity","an":["Infinity","-Infinity"],"nr":"[,-0.5)",
        "dr":"[2020-01-01T00:00:00Z,2020-01-01T00:00:00Z]","net":"10.0.0.1/32","free":5,
        "new":"c","u":"ffffffff-ffff-ffff-ffff-ffffffffffff"})json",
    R"json({"s":"ABC","as":["A","a"],"n":"-Infinity","an":[0,1,2,3],"nr":"(5,)","free":true,
        "dr":"[2020-06-01,2020-06-02]"})json",
    R"json({"s":" a ","n":9007199254740993,"an":["1","x"],"nr":"[0.1,0.30000000000000004]"})json",
    R"json({"s":"%","n":0.1,"nr":"[-9007199254740993,9007199254740993]",
        "d":"2020-02-30T24:00:00Z"})json",
    R"json({"s":"12abc","n":"abc","an":["abc",null],"free":"A"})json",
};

objects::JsValue parsed(std::string_view text) {
  json::Document document;
  require(!document.parse(text), "the target's own JSON is JSON");
  return objects::parse_value(document.root());
}

}  // namespace

backends::postgres::BucketTable fuzzed_table(unsigned which) {
  auto bucket = objects::check_bucket("fuzzed" + std::to_string(which), parsed(kConfiguration));
  require(bucket.ok(), "the target's own bucket is one");
  backends::postgres::BucketTable table;
  table.bucket = *std::move(bucket);
  if ((which & 1) != 0) table.bucket.reindex = parsed(R"({"2":["new","_a"]})");
  table.extended_id = table.has_version = (which & 2) != 0;
  table.table = backends::postgres::identifier(table.bucket.name);
  return table;
}

std::vector<objects::Row> fuzzed_rows(const backends::postgres::BucketTable& table) {
  std::vector<objects::Row> rows;
  for (const char* object : kObjects) {
    const std::string key = "key/" + std::to_string(rows.size());
    auto row = objects::new_row(table.bucket, key, *parsed(object).object(), kNow);
    require(row.ok(), "the target's own objects can be stored");
    row->id = static_cast<std::int64_t>(rows.size()) + 1;
    row->mtime_ms += row->id;
    if (row->id % 2 == 0) row->txn_snap = row->id;
    if (!table.has_version) row->version.reset();
    rows.push_back(*std::move(row));
  }
  return rows;
}

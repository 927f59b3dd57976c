// SPDX-License-Identifier: Apache-2.0
// One action with npm's @volcengine/openapi, as its users write it. HOST, ACCESS_KEY and
// SECRET_KEY come from the environment; prints what the client returns.
//
//   volc.js ACTION BODY
"use strict";
const { Service } = require("@volcengine/openapi");

const service = new Service({
    host: process.env.HOST,
    protocol: "http:",
    region: "cn-beijing",
    serviceName: "ark",
    defaultVersion: "2024-01-01",
    accessKeyId: process.env.ACCESS_KEY,
    secretKey: process.env.SECRET_KEY,
});
const [action, body] = process.argv.slice(2);

service.createJSONAPI(action)(JSON.parse(body)).then(
    (answer) => console.log(JSON.stringify(answer)),
    (error) => {
        console.error(error);
        process.exit(1);
    },
);
